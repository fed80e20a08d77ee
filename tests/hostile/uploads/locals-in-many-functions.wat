;;! does = "2,000 functions of 820 locals each."
;;! bound = "locals of a module count together"
;;! verdict.either = ""
<<2_000 * (func (local <<200 * i64 i32 f32 f64 >> <<20 * v128 >>))
>>
(func $handle (param i32) (result i32) (call $alive))
