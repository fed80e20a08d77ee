;;! does = "Polls an empty list, which may never be ready."
;;! bound = "an empty list of pollables is a trap"
;;! verdict.fails = { code = ["trap"], says = "poll" }
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))

(func $handle (param i32) (result i32) (call $poll (i32.const 4096) (i32.const 0) (i32.const 512)) (call $alive))
