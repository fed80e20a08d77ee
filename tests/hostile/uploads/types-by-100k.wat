;;! does = "100,000 types, each of its own."
;;! bound = "types of a module"
;;! verdict.refused = "types"
<<100_000 * (type (func (param <<3 * i32 >> i64) (result i32)))
>>
(func $handle (param i32) (result i32) (call $alive))
