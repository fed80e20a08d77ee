;;! does = "Wants nothing sent, as a text."
;;! bound = "a text has something in it"
;;! verdict.fails = { code = ["actions"], says = "text" }
(func $handle (param i32) (result i32) (call $text (i32.const 8192) (i32.const 0)))
