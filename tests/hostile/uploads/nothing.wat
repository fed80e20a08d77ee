;;! does = "Nothing at all."
;;! bound = "the kind of a file is looked at first"
;;! verdict.refused = "empty"
;;! form = "hex"

