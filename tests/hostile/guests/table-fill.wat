;;! does = "Fills a table of 10,000 functions for ever."
;;! bound = "an instruction pays by the element, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(table $t 10000 funcref)
(elem declare func $handle)
(func $handle (param i32) (result i32)
  (loop $again (table.fill $t (i32.const 0) (ref.func $handle) (i32.const 10000)) (br $again))
  (unreachable))
