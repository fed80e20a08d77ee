;;! does = "Counts for ever in its selftest."
;;! bound = "a selftest runs under a turn's budget"
;;! verdict.refused = "limit"
(func (export "switchboard:brain/selftest@0.1.0#run") (result i32) (loop $again (br $again)) (unreachable))
(func $handle (param i32) (result i32) (call $alive))
