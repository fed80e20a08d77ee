;;! does = "Wants a memory of 4 GiB from the start."
;;! bound = "memory of a turn"
;;! verdict.refused = "memory"
;;! own = ["memory"]
(memory (export "memory") 65536)
(func $handle (param i32) (result i32) (call $alive))
