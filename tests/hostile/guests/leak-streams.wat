;;! does = "Takes its stdout and drops none, for ever."
;;! bound = "resources of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap", "resources", "memory"], says = "" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))

(func $handle (param i32) (result i32)
  (loop $again (drop (call $get)) (br $again))
  (unreachable))
