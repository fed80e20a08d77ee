;;! does = "Has random bytes made, 4 KiB at a time, for ever."
;;! bound = "random bytes are paid for by the byte"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))

(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $random (i64.const 4096) (i32.const 512))
    (br $again))
  (unreachable))
