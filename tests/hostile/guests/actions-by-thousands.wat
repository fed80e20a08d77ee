;;! does = "Wants 10,000 texts sent."
;;! bound = "actions of a turn"
;;! verdict.fails = { code = ["actions"], says = "too many actions" }
(func $handle (param i32) (result i32) (local $n i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 720000)))
  (loop $more
    (call $put_text (i32.add (local.get $at) (i32.mul (local.get $n) (i32.const 72))) (i32.const 1000) (i32.const 5))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 10000))))
  (call $list (local.get $at) (i32.const 10000)))
