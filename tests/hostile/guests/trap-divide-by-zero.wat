;;! does = "Divides by zero."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "divide by zero" }
(func $handle (param i32) (result i32) (local i32)
  (i32.div_s (i32.const 1) (local.get 1)))
