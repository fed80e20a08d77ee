;;! does = "Wants lead fields of a megabyte kept."
;;! bound = "text_bytes, and the bytes of a lead"
;;! verdict.fails = { code = ["text", "trap"], says = "limit" }
;;! own = ["memory"]
(data (i32.const 131072) "{\22a\22:\22<<1000000 * b>>\22}")
(memory (export "memory") 32)
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 3))
  (i32.store (i32.const 8212) (i32.const 131072))
  (i32.store (i32.const 8216) (i32.const 1000008))
  (call $list (i32.const 8192) (i32.const 1)))
