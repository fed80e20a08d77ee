;;! does = "Wants a file of the kind 77 sent."
;;! bound = "an enum has the values that the contract names"
;;! verdict.fails = { code = ["trap"], says = "discriminant" }
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8200) (i32.const 1))
  (i32.store (i32.const 8208) (i32.const 77))
  (call $list (i32.const 8192) (i32.const 1)))
