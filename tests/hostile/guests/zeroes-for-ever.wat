;;! does = "Has the gateway write zeroes to its stdout for ever."
;;! bound = "a write is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap"], says = "limit" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-zeroes-and-flush" (func $zeroes (param i32 i64 i32)))

(func $handle (param i32) (result i32) (local $out i32)
  (local.set $out (call $get))
  (loop $again (call $zeroes (local.get $out) (i64.const 4096) (i32.const 512)) (br $again))
  (unreachable))
