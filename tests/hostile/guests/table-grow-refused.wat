;;! does = "Asks for a table of 4 billion elements, is refused, and asks again for ever."
;;! bound = "a refusal is paid for"
;;! verdict.fails = { code = ["fuel", "memory", "wall-time"], says = "limit" }
(table $t 1 funcref)
(func $handle (param i32) (result i32)
  (loop $again (drop (table.grow $t (ref.null func) (i32.const -2))) (br $again))
  (unreachable))
