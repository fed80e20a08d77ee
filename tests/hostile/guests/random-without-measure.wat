;;! does = "Wants 2^40 random bytes at once."
;;! bound = "4 KiB of random bytes in one call"
;;! verdict.fails = { code = ["trap", "call"], says = "4096" }
(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))

(func $handle (param i32) (result i32) (call $random (i64.const 1099511627776) (i32.const 512)) (call $alive))
