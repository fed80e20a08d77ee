;;! does = "Sets 3,000 timers in one turn."
;;! bound = "actions of a turn"
;;! verdict.fails = { code = ["actions"], says = "too many actions" }
(data (i32.const 9000) "k{}")
(func $handle (param i32) (result i32) (local $n i32) (local $to i32)
  (local.set $to (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 216000)))
  (loop $more
    (i32.store (local.get $to) (i32.const 1))
    (i32.store offset=8 (local.get $to) (i32.const 9000))
    (i32.store offset=12 (local.get $to) (i32.const 1))
    (i64.store offset=16 (local.get $to) (i64.const 0))
    (i32.store offset=24 (local.get $to) (i32.const 9001))
    (i32.store offset=28 (local.get $to) (i32.const 2))
    (local.set $to (i32.add (local.get $to) (i32.const 72)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 3000))))
  (call $list (i32.sub (local.get $to) (i32.const 216000)) (i32.const 3000)))
