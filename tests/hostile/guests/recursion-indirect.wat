;;! does = "Two functions call each other through a table until the stack ends."
;;! bound = "512 KiB of stack"
;;! verdict.fails = { code = ["trap"], says = "stack overflowed" }
(type $one (func (param i32) (result i32)))
(table 2 funcref)
(elem (i32.const 0) func $a $b)
(func $a (type $one) (i32.add (i32.const 1) (call_indirect (type $one) (local.get 0) (i32.const 1))))
(func $b (type $one) (i32.add (i32.const 1) (call_indirect (type $one) (local.get 0) (i32.const 0))))
(func $handle (param i32) (result i32) (call $a (i32.const 0)))
