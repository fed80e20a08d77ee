;;! does = "Wants the 200th of six actions."
;;! bound = "an action is one of the contract's"
;;! verdict.fails = { code = ["trap"], says = "discriminant" }
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 200))
  (call $list (i32.const 8192) (i32.const 1)))
