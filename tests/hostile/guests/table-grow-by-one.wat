;;! does = "Grows a table by one element for ever."
;;! bound = "elements of a table"
;;! verdict.fails = { code = ["fuel", "memory", "wall-time"], says = "limit" }
(table $t 1 funcref)
(func $handle (param i32) (result i32)
  (loop $again (drop (table.grow $t (ref.null func) (i32.const 1))) (br $again))
  (unreachable))
