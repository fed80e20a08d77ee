;;! does = "Makes an integer of what is not a number."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "invalid conversion" }
(func $handle (param i32) (result i32) (local i32)
  (i32.trunc_f64_s (f64.div (f64.const 0) (f64.convert_i32_s (local.get 1)))))
