;;! does = "Asks for a collection whose name has 1 MB and control characters."
;;! bound = "a name has a bound of its own"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "switchboard:brain/records@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1000000)))
  (memory.fill (local.get $at) (i32.const 10) (i32.const 1000000))
  (loop $again
    (global.set $heap (i32.add (local.get $at) (i32.const 1000000)))
    (call $get (local.get $at) (i32.const 1000000) (local.get $at) (i32.const 1000000) (i32.const 512))
    (br $again))
  (unreachable))
