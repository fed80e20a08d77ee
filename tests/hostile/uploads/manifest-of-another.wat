;;! does = "Says in its own manifest that it lies upon another tenant's texts."
;;! bound = "whose texts lie below is not the uploader's to say"
;;! verdict.either = ""
(@custom "switchboard:plugin" "name = \"tenant-1\"\nversion = \"1\"\nextends = \"tenant-1\"\n")
(func $handle (param i32) (result i32) (call $alive))
