;;! does = "Divides 64-bit numbers, the slowest of the plain instructions, for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32) (local $x i64)
  (local.set $x (i64.const 9223372036854775807))
  (loop $again
    (local.set $x (i64.add (i64.div_u (i64.const -1) (local.get $x)) (i64.const 9223372036854775807)))
    (br $again))
  (unreachable))
