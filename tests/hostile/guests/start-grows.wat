;;! does = "Takes all memory that it may have when it is started, and is refused more."
;;! bound = "memory of a turn"
;;! verdict.refused = "memory"
(func $begin (loop $again (if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then (unreachable))) (br $again)))
(start $begin)
(func $handle (param i32) (result i32) (call $alive))
