;;! does = "A core module instead of a component."
;;! bound = "the kind of a file is looked at first"
;;! verdict.refused = "core module"
;;! form = "wat"
(module (memory 1))
