;;! does = "Writes 4 KiB to its stdout for ever."
;;! bound = "a write is paid for by the byte; the log takes log_bytes of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))

(data (i32.const 8192) "<<64 * a line that nobody reads, of sixty-four bytes, sixty-four times\0a>>")
(func $handle (param i32) (result i32) (local $out i32)
  (local.set $out (call $get))
  (loop $again
    (call $write (local.get $out) (i32.const 8192) (i32.const 4096) (i32.const 512))
    (br $again))
  (unreachable))
