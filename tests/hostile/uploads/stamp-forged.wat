;;! does = "Has a stamp of the SDK that is no JSON, of 60 KB of line breaks."
;;! bound = "a stamp is read as what it is, and shown cut"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (@custom "switchboard:sdk" "{<<60_000 * \0a>>"))
