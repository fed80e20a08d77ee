;;! does = "Leaves by `exit`, as if all were well."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "exit" }
(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
(func $handle (param i32) (result i32) (call $exit (i32.const 0)) (unreachable))
