;;! does = "Keeps a list in a list, 30,000 deep: it is text to the gateway."
;;! bound = "a memory is text, handed on as it is"
;;! verdict.answers = "alive"
;;! own = ["memory"]
(data (i32.const 131072) "<<30000 * [>><<30000 * ]>>")
(memory (export "memory") 4)
(func $handle (param i32) (result i32)
  (drop (call $alive))
  (call $remember (i32.const 131072) (i32.const 60000))
  (i32.const 1024))
