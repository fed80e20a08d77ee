;;! does = "A function of 900 parameters and 900 results, called a thousand times."
;;! bound = "parameters of a function, or the time and memory of a compilation"
;;! verdict.either = ""
(type $wide (func (param <<900 * i64 >>) (result <<900 * i64 >>)))
(func $wide (type $wide) <<900 * (i64.const 1) >>)
(func (export "calls") <<20 * <<900 * i64.const 1 >> call $wide <<900 * drop >> >>)
(func $handle (param i32) (result i32) (call $alive))
