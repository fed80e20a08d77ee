;;! does = "Copies half of its memory onto the other half for ever: one instruction, megabytes of work."
;;! bound = "an instruction pays by the byte, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func $handle (param i32) (result i32)
  (drop (memory.grow (i32.const 260)))
  (loop $again (memory.copy (i32.const 65536) (i32.const 8454144) (i32.const 8388608)) (br $again))
  (unreachable))
