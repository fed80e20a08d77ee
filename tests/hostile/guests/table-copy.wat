;;! does = "Copies 5,000 elements of a table for ever."
;;! bound = "an instruction pays by the element, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(table $t 10000 funcref)
(func $handle (param i32) (result i32)
  (loop $again (table.copy $t $t (i32.const 0) (i32.const 5000) (i32.const 5000)) (br $again))
  (unreachable))
