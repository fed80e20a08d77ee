;;! does = "Asks for all its texts for ever."
;;! bound = "calls of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/personality@0.1.0" "all" (func $all (param i32)))

(func $handle (param i32) (result i32)
  (loop $again (global.set $heap (i32.const 65536)) (call $all (i32.const 512)) (br $again))
  (unreachable))
