;;! does = "Reads its empty stdin for ever."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $in (result i32)))
(import "wasi:io/streams@0.2.6" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))

(func $handle (param i32) (result i32) (local $in i32)
  (local.set $in (call $in))
  (loop $again (call $read (local.get $in) (i64.const -1) (i32.const 512)) (br $again))
  (unreachable))
