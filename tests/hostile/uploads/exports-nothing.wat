;;! does = "Exports nothing at all."
;;! bound = "a brain exports the contract's function"
;;! verdict.refused = "turn"
;;! form = "wat"
(component)
