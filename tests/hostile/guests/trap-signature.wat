;;! does = "Calls a function by another signature than its own."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "indirect call type mismatch" }
(type $none (func))
(table 1 funcref)
(elem (i32.const 0) func $handle)
(func $handle (param i32) (result i32) (call_indirect (type $none) (i32.const 0)) (unreachable))
