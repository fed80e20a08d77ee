;;! does = "Calls itself through a table of functions for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(table 2 funcref)
(elem (i32.const 0) func $nothing $nothing)
(type $none (func))
(func $nothing)
(func $handle (param i32) (result i32) (local $n i32)
  (loop $again
    (call_indirect (type $none) (i32.and (local.get $n) (i32.const 1)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br $again))
  (unreachable))
