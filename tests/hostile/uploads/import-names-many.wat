;;! does = "Imports 3,000 instances that nobody offers, with long names."
;;! bound = "imports of a component; names are shown cut"
;;! verdict.refused = ""
;;! form = "wat"
(component
  <<3_000 * (import "hostile:<<600 * a>>/b{#}@0.1.0" (instance)) >>)
