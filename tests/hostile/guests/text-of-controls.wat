;;! does = "Wants control characters and bidi marks sent: its own contact reads them, nobody else."
;;! bound = "a text goes to its contact as it is"
;;! verdict.answers = "\u0001\u001b[2J\u202eeciov"
(data (i32.const 8192) "\01\1b[2J\e2\80\aeeciov")
(func $handle (param i32) (result i32) (call $text (i32.const 8192) (i32.const 13)))
