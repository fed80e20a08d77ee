;;! does = "Faults with a code and a message full of line breaks and codes."
;;! bound = "a guest's text is one visible line, bounded"
;;! verdict.fails = { code = ["any"], says = "" }
;;! forges = "FFORGE"
(data (i32.const 9000) "\0aFFORGE\1b[2J\0d\0aERROR FFORGE\e2\80\ae")
(func $handle (param i32) (result i32) (call $fault (i32.const 9000) (i32.const 7) (i32.const 9000) (i32.const 28)))
