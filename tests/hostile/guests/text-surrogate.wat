;;! does = "Wants half of a surrogate pair sent."
;;! bound = "strings are UTF-8"
;;! verdict.fails = { code = ["trap"], says = "utf-8" }
(data (i32.const 8192) "\ed\a0\80")
(func $handle (param i32) (result i32) (call $text (i32.const 8192) (i32.const 3)))
