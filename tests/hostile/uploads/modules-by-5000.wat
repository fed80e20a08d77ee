;;! does = "A component of 5,000 modules."
;;! bound = "modules of a component"
;;! verdict.refused = "modules"
;;! form = "wat"
(component
  <<5_000 * (core module)
>>)
