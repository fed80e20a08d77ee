;;! does = "Sets a timer whose key has 5,000 bytes."
;;! bound = "a key has a bound of its own"
;;! verdict.fails = { code = ["actions"], says = "key" }
(data (i32.const 9000) "<<5000 * k>>{}")
(func $handle (param i32) (result i32) (local $n i32) (local $to i32)
  (local.set $to (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 72)))
  (loop $more
    (i32.store (local.get $to) (i32.const 1))
    (i32.store offset=8 (local.get $to) (i32.const 9000))
    (i32.store offset=12 (local.get $to) (i32.const 5000))
    (i64.store offset=16 (local.get $to) (i64.const 0))
    (i32.store offset=24 (local.get $to) (i32.const 14000))
    (i32.store offset=28 (local.get $to) (i32.const 2))
    (local.set $to (i32.add (local.get $to) (i32.const 72)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 1))))
  (call $list (i32.sub (local.get $to) (i32.const 72)) (i32.const 1)))
