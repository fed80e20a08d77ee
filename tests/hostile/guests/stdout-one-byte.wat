;;! does = "Writes one byte to its stdout for ever."
;;! bound = "a write is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.check-write" (func $check (param i32 i32)))

(func $handle (param i32) (result i32) (local $out i32)
  (local.set $out (call $get))
  (loop $again
    (call $check (local.get $out) (i32.const 512))
    (call $write (local.get $out) (i32.const 8192) (i32.const 1) (i32.const 512))
    (br $again))
  (unreachable))
