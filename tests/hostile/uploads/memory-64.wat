;;! does = "A memory of 64-bit addresses."
;;! bound = "what the gateway's engine does not have is refused"
;;! verdict.either = ""
;;! own = ["memory"]
(memory (export "memory") 2)
(memory $big i64 1)
(func (export "wide") (drop (i64.load $big (i64.const 0))))
(func $handle (param i32) (result i32) (call $alive))
