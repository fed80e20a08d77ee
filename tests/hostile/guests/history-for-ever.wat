;;! does = "Reads four billion lines of the history, for ever."
;;! bound = "100 lines a call, and calls of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/history@0.1.0" "recent" (func $recent (param i32 i32)))

(func $handle (param i32) (result i32)
  (loop $again (global.set $heap (i32.const 65536)) (call $recent (i32.const -1) (i32.const 512)) (br $again))
  (unreachable))
