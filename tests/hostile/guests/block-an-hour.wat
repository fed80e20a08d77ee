;;! does = "Blocks for an hour, again and again: the clock stands still during a turn, and a sleeper is awake at once."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))

(func $handle (param i32) (result i32) (local $hour i32)
  (local.set $hour (call $subscribe (i64.const 3600000000000)))
  (loop $again (call $block (local.get $hour)) (br $again))
  (unreachable))
