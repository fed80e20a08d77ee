;;! does = "Wants a list of 13 MB of actions that are all the same bytes."
;;! bound = "what a guest hands over is bounded"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 13680000)))
  ;; The tag 5, the end of the conversation, 190,000 times.
  (memory.fill (local.get $at) (i32.const 5) (i32.const 13680000))
  (call $list (local.get $at) (i32.const 190000)))
