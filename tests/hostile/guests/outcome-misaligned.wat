;;! does = "Returns an address that no answer can have."
;;! bound = "answers are aligned"
;;! verdict.fails = { code = ["trap"], says = "aligned" }
(func $handle (param i32) (result i32) (i32.const 1021))
