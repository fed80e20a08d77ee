;;! does = "A memory shared between threads."
;;! bound = "what the gateway's engine does not have is refused"
;;! verdict.refused = ""
(memory $shared 1 2 shared)
(func $handle (param i32) (result i32) (call $alive))
