;;! does = "15,000 vectors that are all alive at once: more than there are registers."
;;! bound = "time of a compilation"
;;! verdict.either = ""
(func (export "alive") (param v128) (result v128)
  <<15_000 * local.get 0 local.get 0 i8x16.add >> <<14_999 * v128.xor >>)
(func $handle (param i32) (result i32) (call $alive))
