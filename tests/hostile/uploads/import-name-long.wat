;;! does = "Imports something whose name has 60,000 letters."
;;! bound = "names are shown cut"
;;! verdict.refused = "bytes in a name"
;;! form = "wat"
(component
  (import "hostile:<<60_000 * a>>/b@0.1.0" (instance)))
