;;! does = "Faults with a code and a message of 7 MB each."
;;! bound = "a fault's text is bounded"
;;! verdict.fails = { code = ["any"], says = "" }
(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 7000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 7000000))
  (call $fault (local.get $at) (i32.const 7000000) (local.get $at) (i32.const 7000000)))
