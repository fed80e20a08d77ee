;;! does = "Wants a number kept as the fields of a lead."
;;! bound = "fields are an object"
;;! verdict.fails = { code = ["actions"], says = "fields" }
;;! own = ["memory"]
(data (i32.const 131072) "7")
(memory (export "memory") 4)
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 3))
  (i32.store (i32.const 8212) (i32.const 131072))
  (i32.store (i32.const 8216) (i32.const 1))
  (call $list (i32.const 8192) (i32.const 1)))
