;;! does = "Calls the gateway while the gateway asks it for memory."
;;! bound = "a guest may not call while it is entered"
;;! verdict.fails = { code = ["trap"], says = "cannot leave" }
;;! own = ["realloc"]
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (call $log (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 65536))
(func $handle (param i32) (result i32) (call $alive))
