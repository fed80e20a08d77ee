;;! does = "Exports names that look like lines of the log."
;;! bound = "names are names; text is shown on one line"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (core module (func (export "\0aERROR UFORGE\0d\0aERROR UFORGE"))))
