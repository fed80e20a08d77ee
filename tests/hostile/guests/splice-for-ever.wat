;;! does = "Has the gateway carry its stdin to its stdout for ever."
;;! bound = "a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap"], says = "limit" }
(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $in (result i32)))
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $out (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.splice" (func $splice (param i32 i32 i64 i32)))

(func $handle (param i32) (result i32) (local $in i32) (local $out i32)
  (local.set $in (call $in))
  (local.set $out (call $out))
  (loop $again (call $splice (local.get $out) (local.get $in) (i64.const -1) (i32.const 512)) (br $again))
  (unreachable))
