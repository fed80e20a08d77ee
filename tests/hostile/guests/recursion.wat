;;! does = "Calls itself until the stack ends."
;;! bound = "512 KiB of stack"
;;! verdict.fails = { code = ["trap"], says = "stack overflowed" }
(func $down (param i64 i64 i64) (result i64)
  (i64.add (local.get 0) (call $down (local.get 1) (local.get 2) (local.get 0))))
(func $handle (param i32) (result i32) (i32.wrap_i64 (call $down (i64.const 1) (i64.const 2) (i64.const 3))))
