;;! does = "Writes a megabyte to its stdout at once."
;;! bound = "what a guest hands over in one call is bounded"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))

(func $handle (param i32) (result i32)
  (call $write (call $get) (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1000000)) (i32.const 1000000) (i32.const 512))
  (call $alive))
