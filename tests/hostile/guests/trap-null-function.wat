;;! does = "Calls a function that is null."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "uninitialized element" }
(type $none (func))
(table 2 funcref)
(func $handle (param i32) (result i32) (call_indirect (type $none) (i32.const 1)) (unreachable))
