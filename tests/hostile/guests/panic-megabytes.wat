;;! does = "Panics with a message of 10 MB."
;;! bound = "a panic's text is bounded, and what is carried is paid for"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "switchboard:brain/log@0.1.0" "panicked" (func $panicked (param i32 i32 i32 i32 i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 10000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 10000000))
  (call $panicked (local.get $at) (i32.const 10000000) (local.get $at) (i32.const 10000000) (i32.const 1))
  (unreachable))
