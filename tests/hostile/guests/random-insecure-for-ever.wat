;;! does = "Has cheap random bytes made for ever."
;;! bound = "random bytes are paid for by the byte"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "wasi:random/insecure@0.2.6" "get-insecure-random-bytes" (func $random (param i64 i32)))

(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $random (i64.const 4096) (i32.const 512))
    (br $again))
  (unreachable))
