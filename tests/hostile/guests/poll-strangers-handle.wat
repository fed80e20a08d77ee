;;! does = "Polls a handle that it was never given."
;;! bound = "a handle is looked up in the turn's own table"
;;! verdict.fails = { code = ["trap"], says = "unknown handle" }
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))

(func $handle (param i32) (result i32)
  (i32.store (i32.const 4096) (i32.const 77))
  (call $poll (i32.const 4096) (i32.const 1) (i32.const 512))
  (call $alive))
