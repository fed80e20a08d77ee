;;! does = "100,000 choices that depend on each other."
;;! bound = "time of a compilation"
;;! verdict.either = ""
(func (export "chain") (param i32) (result i32)
  (local.get 0) <<60_000 * local.get 0 local.get 0 select >>)
(func $handle (param i32) (result i32) (call $alive))
