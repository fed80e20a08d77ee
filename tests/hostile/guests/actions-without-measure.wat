;;! does = "Says that it wants 900 million actions."
;;! bound = "lists lie within the memory of the guest"
;;! verdict.fails = { code = ["trap"], says = "out of bounds" }
(func $handle (param i32) (result i32) (call $list (i32.const 4096) (i32.const 900000000)))
