;;! does = "Wants something kept that is not JSON."
;;! bound = "a memory is JSON"
;;! verdict.fails = { code = ["actions", "state", "memory", "bad-memory"], says = "JSON" }
(data (i32.const 8192) "{\22a\22: nothing")
(func $handle (param i32) (result i32)
  (drop (call $alive))
  (call $remember (i32.const 8192) (i32.const 13))
  (i32.const 1024))
