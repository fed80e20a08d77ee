;;! does = "Answers, and calls the gateway when it is told that the answer was read."
;;! bound = "a guest may not call while it is left"
;;! verdict.fails = { code = ["trap"], says = "cannot leave" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(func (export "cabi_post_switchboard:brain/turn@0.1.0#handle") (param i32) (call $log (i32.const 0) (i32.const 0) (i32.const 1)))
(func $handle (param i32) (result i32) (call $alive))
