;;! does = "Multiplies vectors for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32) (local $v v128)
  (local.set $v (v128.const i32x4 3 5 7 11))
  (loop $again
    (local.set $v (i32x4.mul (local.get $v) (i8x16.swizzle (local.get $v) (local.get $v))))
    (br $again))
  (unreachable))
