;;! does = "Fills its memory for ever: one instruction, megabytes of work."
;;! bound = "an instruction pays by the byte, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32)
  (drop (memory.grow (i32.const 260)))
  (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 16777216)) (br $again))
  (unreachable))
