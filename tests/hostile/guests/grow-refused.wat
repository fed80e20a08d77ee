;;! does = "Asks for 4 GiB of memory, is refused, and asks again for ever."
;;! bound = "a refusal is paid for, and the turn remembers it"
;;! verdict.fails = { code = ["fuel", "memory", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32)
  (loop $again (drop (memory.grow (i32.const 65000))) (br $again))
  (unreachable))
