;;! does = "Takes roots of numbers that are almost nothing, which processors are slow at, for ever."
;;! bound = "fuel of a turn, or its time"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32) (local $x f64)
  (loop $again
    (local.set $x (f64.div (f64.sqrt (f64.add (local.get $x) (f64.const 4.9e-324))) (f64.const 3.7e200)))
    (br $again))
  (unreachable))
