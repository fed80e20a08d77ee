;;! does = "A type that is a list of a list, 3,000 deep."
;;! bound = "depth of a type"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (type $t0 (list u8))
  <<3_000 * (type (list 0))
>>)
