;;! does = "Asks the monotonic clock for ever."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))

(func $handle (param i32) (result i32)
  (loop $again (drop (call $now)) (br $again))
  (unreachable))
