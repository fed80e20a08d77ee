;;! does = "Makes pollables and drops none, for ever."
;;! bound = "resources of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap", "resources", "memory"], says = "" }
(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-instant" (func $subscribe (param i64) (result i32)))

(func $handle (param i32) (result i32)
  (loop $again (drop (call $subscribe (i64.const 1))) (br $again))
  (unreachable))
