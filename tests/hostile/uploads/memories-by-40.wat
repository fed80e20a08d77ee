;;! does = "40 memories."
;;! bound = "memories of a component"
;;! verdict.refused = ""
;;! own = ["memory"]
(memory (export "memory") 2)
<<40 * (memory 1)
>>
(func $handle (param i32) (result i32) (call $alive))
