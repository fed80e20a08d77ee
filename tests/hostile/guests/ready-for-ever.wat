;;! does = "Asks a pollable whether it is ready for ever."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "[method]pollable.ready" (func $ready (param i32) (result i32)))

(func $handle (param i32) (result i32) (local $one i32)
  (local.set $one (call $subscribe (i64.const 1)))
  (loop $again (drop (call $ready (local.get $one))) (br $again))
  (unreachable))
