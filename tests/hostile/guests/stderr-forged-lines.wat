;;! does = "Writes to stderr what looks like lines of the gateway."
;;! bound = "a guest's text is one visible line, in a field of its own"
;;! verdict.answers = "alive"
;;! forges = "EFORGE"
(import "wasi:cli/stderr@0.2.6" "get-stderr" (func $get (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))

(data (i32.const 8192) "\0a2026-01-01T00:00:00Z ERROR switchboard: EFORGE\0d\0aEFORGE\1b[2J\e2\80\aeEFORGE\c2\85EFORGE\0bEFORGE\0cEFORGE")
(func $handle (param i32) (result i32)
  (call $write (call $get) (i32.const 8192) (i32.const 91) (i32.const 512))
  (call $alive))
