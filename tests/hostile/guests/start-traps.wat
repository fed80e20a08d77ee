;;! does = "Traps when it is started."
;;! bound = "a start that fails is not taken"
;;! verdict.refused = "cannot be started"
(func $begin (unreachable))
(start $begin)
(func $handle (param i32) (result i32) (call $alive))
