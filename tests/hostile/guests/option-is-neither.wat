;;! does = "Says neither that there is a memory nor that there is none."
;;! bound = "an option has two cases"
;;! verdict.fails = { code = ["trap"], says = "discriminant" }
(func $handle (param i32) (result i32)
  (drop (call $done))
  (i32.store (i32.const 1036) (i32.const 9))
  (i32.const 1024))
