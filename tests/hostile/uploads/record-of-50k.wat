;;! does = "A record of 50,000 fields."
;;! bound = "size of a type"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (type (record <<50_000 * (field "a{#}" u8) >>)))
