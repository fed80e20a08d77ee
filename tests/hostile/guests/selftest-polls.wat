;;! does = "Polls a list of 900,000 in its selftest."
;;! bound = "a selftest pays for the host's work as a turn does"
;;! verdict.refused = "handed over"
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))

(func (export "switchboard:brain/selftest@0.1.0#run") (result i32) (local $handle i32) (local $n i32) (local $at i32)
  (local.set $handle (call $subscribe (i64.const 0)))
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 3600000)))
  (loop $fill
    (i32.store (i32.add (local.get $at) (i32.mul (local.get $n) (i32.const 4))) (local.get $handle))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $fill (i32.lt_u (local.get $n) (i32.const 900000))))
  (loop $again
    (global.set $heap (i32.add (local.get $at) (i32.const 3600000)))
    (call $poll (local.get $at) (i32.const 900000) (i32.const 512))
    (br $again))
  (unreachable))
(func $handle (param i32) (result i32) (call $alive))
