;;! does = "Returns neither an outcome nor a fault, but the third of two."
;;! bound = "a result has two cases"
;;! verdict.fails = { code = ["trap"], says = "discriminant" }
(func $handle (param i32) (result i32) (i32.store (i32.const 8192) (i32.const 7)) (i32.const 8192))
