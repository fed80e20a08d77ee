;;! does = "50,000 locals in one function."
;;! bound = "locals of a function"
;;! verdict.refused = "locals"
(func (export "wide") (local <<49_900 * i64 >>))
(func $handle (param i32) (result i32) (call $alive))
