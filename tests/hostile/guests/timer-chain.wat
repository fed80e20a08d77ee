;;! does = "Sets a timer for at once at every turn, its timer's own too, and says so."
;;! bound = "turns without a human word in between"
;;! verdict.answers = "alive"
(data (i32.const 9000) "k{}")
(func $handle (param i32) (result i32)
  (call $put_text (i32.const 8192) (i32.const 1000) (i32.const 5))
  (i32.store (i32.const 8264) (i32.const 1))
  (i32.store (i32.const 8272) (i32.const 9000))
  (i32.store (i32.const 8276) (i32.const 1))
  (i64.store (i32.const 8280) (i64.const 0))
  (i32.store (i32.const 8288) (i32.const 9001))
  (i32.store (i32.const 8292) (i32.const 2))
  (call $list (i32.const 8192) (i32.const 2)))
