;;! does = "20 functions just below the bound of one."
;;! bound = "size of all functions together, or the time and memory of a compilation"
;;! verdict.either = ""
<<12 * (func (param i32) (result i32) (local.get 0) <<70_000 * (i32.add (local.get 0)) >>)
>>
(func $handle (param i32) (result i32) (call $alive))
