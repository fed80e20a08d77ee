;;! does = "Asks for the text at a path of 15 MB, for ever."
;;! bound = "a path has a bound of its own"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "switchboard:brain/personality@0.1.0" "get" (func $get (param i32 i32 i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 15000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 15000000))
  (loop $again (call $get (local.get $at) (i32.const 15000000) (i32.const 512)) (br $again))
  (unreachable))
