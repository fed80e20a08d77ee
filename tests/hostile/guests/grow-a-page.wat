;;! does = "Takes its memory page by page, touches each, and goes on when there is no more."
;;! bound = "memory of a turn"
;;! verdict.fails = { code = ["fuel", "memory", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32) (local $page i32)
  (loop $again
    (local.set $page (memory.grow (i32.const 1)))
    (if (i32.ne (local.get $page) (i32.const -1))
      (then (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1))))
    (br $again))
  (unreachable))
