;;! does = "Subscribes to its stdin and drops no subscription, for ever."
;;! bound = "resources of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap", "resources", "memory"], says = "" }
(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]input-stream.subscribe" (func $subscribe (param i32) (result i32)))

(func $handle (param i32) (result i32) (local $in i32)
  (local.set $in (call $get))
  (loop $again (drop (call $subscribe (local.get $in))) (br $again))
  (unreachable))
