;;! does = "Waits for one pollable, again and again, for ever."
;;! bound = "a poll is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))

(func $handle (param i32) (result i32)
  (i32.store (i32.const 4096) (call $subscribe (i64.const 0)))
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $poll (i32.const 4096) (i32.const 1) (i32.const 512))
    (br $again))
  (unreachable))
