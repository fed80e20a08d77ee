;;! does = "Asks for the tenant's labels for ever."
;;! bound = "calls of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/details@0.1.0" "labels" (func $labels (param i32)))

(func $handle (param i32) (result i32)
  (loop $again (global.set $heap (i32.const 65536)) (call $labels (i32.const 512)) (br $again))
  (unreachable))
