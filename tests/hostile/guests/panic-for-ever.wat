;;! does = "Says for ever that it panics, and does not."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/log@0.1.0" "panicked" (func $panicked (param i32 i32 i32 i32 i32)))

(func $handle (param i32) (result i32)
  (loop $again
    (call $panicked (i32.const 8192) (i32.const 1000) (i32.const 8192) (i32.const 1000) (i32.const 1))
    (br $again))
  (unreachable))
