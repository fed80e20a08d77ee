;;! does = "Wants a place sent with a latitude that is infinite."
;;! bound = "a place is on the earth"
;;! verdict.fails = { code = ["actions"], says = "not between" }
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8200) (i32.const 4))
  (f64.store (i32.const 8208) (f64.div (f64.const 1) (f64.const 0)))
  (call $list (i32.const 8192) (i32.const 1)))
