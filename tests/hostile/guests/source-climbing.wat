;;! does = "Wants the file at `../../../etc/passwd` sent."
;;! bound = "a source is https or a handle of the tenant's own"
;;! verdict.fails = { code = ["actions"], says = "source" }
(data (i32.const 9000) "../../../etc/passwd")
(func $handle (param i32) (result i32)
  (i32.store (i32.const 8200) (i32.const 1))
  (i32.store (i32.const 8212) (i32.const 9000))
  (i32.store (i32.const 8216) (i32.const 19))
  (call $list (i32.const 8192) (i32.const 1)))
