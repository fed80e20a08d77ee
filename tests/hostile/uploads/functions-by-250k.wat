;;! does = "250,000 functions that do nothing."
;;! bound = "functions of a module"
;;! verdict.refused = "functions"
<<250_000 * (func)
>>
(func $handle (param i32) (result i32) (call $alive))
