;;! does = "Hands over a text of 20 MB, more than may be handed over at all."
;;! bound = "what a guest hands over is bounded"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 20000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 20000000))
  (call $text (local.get $at) (i32.const 20000000)))
