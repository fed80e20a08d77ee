;;! does = "Wants bytes sent that are no text."
;;! bound = "strings are UTF-8"
;;! verdict.fails = { code = ["trap"], says = "utf-8" }
(data (i32.const 8192) "\ff\c0\80")
(func $handle (param i32) (result i32) (call $text (i32.const 8192) (i32.const 3)))
