;;! does = "Answers, and counts for ever when it is told that the answer was read."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(func (export "cabi_post_switchboard:brain/turn@0.1.0#handle") (param i32) (loop $again (br $again)))
(func $handle (param i32) (result i32) (call $alive))
