;;! does = "Faults with a code that the gateway itself uses."
;;! bound = "a brain's own codes are told apart by their message"
;;! verdict.fails = { code = ["no-brain", "fault"], says = "mine" }
(data (i32.const 9000) "no-brainmine")
(func $handle (param i32) (result i32) (call $fault (i32.const 9000) (i32.const 8) (i32.const 9008) (i32.const 4)))
