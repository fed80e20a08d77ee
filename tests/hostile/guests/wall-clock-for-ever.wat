;;! does = "Asks the time of day for ever."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:clocks/wall-clock@0.2.6" "now" (func $now (param i32)))

(func $handle (param i32) (result i32)
  (loop $again (call $now (i32.const 512)) (br $again))
  (unreachable))
