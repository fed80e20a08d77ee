;;! does = "Counts for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32)
  (loop $again (br $again))
  (unreachable))
