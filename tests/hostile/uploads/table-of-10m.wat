;;! does = "A table of 10 million elements from the start."
;;! bound = "elements of a table"
;;! verdict.refused = ""
(table 10000000 funcref)
(func $handle (param i32) (result i32) (call $alive))
