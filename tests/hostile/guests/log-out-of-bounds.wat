;;! does = "Logs a line of four gigabytes that its memory does not have."
;;! bound = "strings lie within the memory of the guest"
;;! verdict.fails = { code = ["trap"], says = "out of bounds" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(func $handle (param i32) (result i32) (call $log (i32.const 0) (i32.const 16) (i32.const -1)) (call $alive))
