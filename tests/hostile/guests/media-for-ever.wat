;;! does = "Reads a file that is not there, at the last of all places, for ever."
;;! bound = "calls of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/media@0.1.0" "read" (func $read (param i32 i32 i64 i32 i32)))

(data (i32.const 4096) "nothing")
(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $read (i32.const 4096) (i32.const 7) (i64.const -1) (i32.const -1) (i32.const 512))
    (br $again))
  (unreachable))
