;;! does = "Returns an address behind its memory."
;;! bound = "answers lie within the memory of the guest"
;;! verdict.fails = { code = ["trap"], says = "bounds" }
(func $handle (param i32) (result i32) (i32.const -16))
