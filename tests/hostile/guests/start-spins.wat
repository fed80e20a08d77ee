;;! does = "Counts for ever when it is started."
;;! bound = "a start runs under a turn's budget"
;;! verdict.refused = "limit"
(func $begin (loop $again (br $again)))
(start $begin)
(func $handle (param i32) (result i32) (call $alive))
