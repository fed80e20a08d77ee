;;! does = "Calls the 100th of two functions."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "undefined element" }
(type $none (func))
(table 2 funcref)
(func $handle (param i32) (result i32) (call_indirect (type $none) (i32.const 100)) (unreachable))
