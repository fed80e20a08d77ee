;;! does = "Wants lead fields kept that are 5,000 deep."
;;! bound = "JSON has a depth"
;;! verdict.fails = { code = ["actions"], says = "fields" }
;;! own = ["memory"]
(data (i32.const 131072) "{\22a\22:<<5000 * [>><<5000 * ]>>}")
(memory (export "memory") 4)
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 3))
  (i32.store (i32.const 8212) (i32.const 131072))
  (i32.store (i32.const 8216) (i32.const 10006))
  (call $list (i32.const 8192) (i32.const 1)))
