;;! does = "Calls a function that does nothing for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $nothing)
(func $handle (param i32) (result i32)
  (loop $again (call $nothing) (br $again))
  (unreachable))
