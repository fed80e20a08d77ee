;;! does = "100,000 globals."
;;! bound = "globals of a module"
;;! verdict.either = ""
<<100_000 * (global i64 (i64.const {#}))
>>
(func $handle (param i32) (result i32) (call $alive))
