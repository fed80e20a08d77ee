;;! does = "Jumps through a table of branches for ever."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32) (local $n i32)
  (loop $again
    (block $a (block $b (block $c
      (br_table $a $b $c $again (i32.rem_u (local.get $n) (i32.const 5))))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br $again))
  (unreachable))
