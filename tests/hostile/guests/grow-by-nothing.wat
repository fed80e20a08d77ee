;;! does = "Grows its memory by no page at all for ever: a call into the host that costs almost no fuel."
;;! bound = "a growth is paid for"
;;! verdict.fails = { code = ["fuel", "host-calls", "memory", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32)
  (loop $again (drop (memory.grow (i32.const 0))) (br $again))
  (unreachable))
