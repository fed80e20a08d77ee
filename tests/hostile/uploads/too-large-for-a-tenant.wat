;;! does = "9 MB of a custom section."
;;! bound = "what a tenant's key may push"
;;! verdict.refused = "limit"
;;! form = "wat"
(component
  (@custom "padding" "<<9_000_000 * x>>"))
