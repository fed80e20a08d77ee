;;! does = "A function of 15,000 locals and 3,000 loops one after another: each loop of all locals."
;;! bound = "locals of a function times its blocks"
;;! verdict.refused = "locals times loops"
(func (export "wide") (local <<15_000 * i64 >>)
  <<3_000 * loop local.get 7 local.set 9 end >>)
(func $handle (param i32) (result i32) (call $alive))
