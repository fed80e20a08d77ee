;;! does = "90 tables."
;;! bound = "tables of a component"
;;! verdict.refused = ""
<<90 * (table 1 funcref)
>>
(func $handle (param i32) (result i32) (call $alive))
