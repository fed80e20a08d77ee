;;! does = "Has the gateway write 2^60 zeroes at once."
;;! bound = "an output stream takes 4 KiB in one call"
;;! verdict.fails = { code = ["trap", "call", "host-calls", "fuel", "wall-time"], says = "" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.write-zeroes" (func $zeroes (param i32 i64 i32)))

(func $handle (param i32) (result i32)
  (call $zeroes (call $get) (i64.const 1152921504606846976) (i32.const 512))
  (call $alive))
