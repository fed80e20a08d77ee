;;! does = "1,000 instances of a module that does nothing."
;;! bound = "instances of a component"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (core module $m)
  <<1_000 * (core instance (instantiate $m))
>>)
