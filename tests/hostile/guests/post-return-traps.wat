;;! does = "Answers, and traps when it is told that the answer was read."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "unreachable" }
(func (export "cabi_post_switchboard:brain/turn@0.1.0#handle") (param i32) (unreachable))
(func $handle (param i32) (result i32) (call $alive))
