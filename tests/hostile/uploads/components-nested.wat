;;! does = "Components in each other, 90 deep."
;;! bound = "nesting of components"
;;! verdict.refused = "inside each other"
;;! form = "wat"
<<90 * (component >>
<<90 * )>>
