;;! does = "Divides the smallest number by -1."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "integer overflow" }
(func $handle (param i32) (result i32) (local i32)
  (i32.div_s (i32.const -2147483648) (i32.sub (local.get 1) (i32.const 1))))
