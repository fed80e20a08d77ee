;;! does = "Imports WASI's requests to other hosts."
;;! bound = "what is not offered is refused by name"
;;! verdict.refused = "wasi:http"
;;! form = "wat"
(component
  (import "wasi:http/outgoing-handler@0.2.6" (instance)))
