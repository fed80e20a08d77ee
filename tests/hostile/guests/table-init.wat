;;! does = "Initialises a table from a segment of 5,000 elements for ever."
;;! bound = "an instruction pays by the element, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(table $t 10000 funcref)
(elem $e func <<5000 * $handle >>)
(func $handle (param i32) (result i32)
  (loop $again (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 5000)) (br $again))
  (unreachable))
