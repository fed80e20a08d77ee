;;! does = "Logs bytes that are no text."
;;! bound = "strings are UTF-8"
;;! verdict.fails = { code = ["trap"], says = "utf-8" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(data (i32.const 8192) "\ff\fe\80")
(func $handle (param i32) (result i32) (call $log (i32.const 0) (i32.const 8192) (i32.const 3)) (call $alive))
