;;! does = "Logs at the level 99."
;;! bound = "an enum has the values that the contract names"
;;! verdict.fails = { code = ["trap"], says = "discriminant" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(func $handle (param i32) (result i32) (call $log (i32.const 99) (i32.const 8192) (i32.const 3)) (call $alive))
