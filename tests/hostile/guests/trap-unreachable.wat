;;! does = "Executes `unreachable`."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "unreachable" }
(func $handle (param i32) (result i32) (local i32)
  (unreachable))
