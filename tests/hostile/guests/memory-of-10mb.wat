;;! does = "Wants 10 MB kept."
;;! bound = "state_bytes"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 10000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 10000000))
  (drop (call $alive))
  (call $remember (local.get $at) (i32.const 10000000))
  (i32.const 1024))
