;;! does = "5,000 segments of 100 elements each."
;;! bound = "elements of a module count together"
;;! verdict.refused = "elements"
(table $t 1 funcref)
<<5_000 * (elem func <<100 * $handle >>)
>>
(func $handle (param i32) (result i32) (call $alive))
