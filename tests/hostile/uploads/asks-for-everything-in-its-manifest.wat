;;! does = "Says in its own manifest that it was granted requests to other hosts."
;;! bound = "more grants take the operator's word"
;;! verdict.refused = ""
(@custom "switchboard:plugin" "name = \"x\"\nversion = \"1\"\ngrants = [\"http\"]\n")
(func $handle (param i32) (result i32) (call $alive))
