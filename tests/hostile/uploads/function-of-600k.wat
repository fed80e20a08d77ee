;;! does = "One function of 600 KB."
;;! bound = "size of a function"
;;! verdict.refused = "bytes in a function"
(func (export "long") (param i32) <<200_000 * (drop (local.get 0)) >>)
(func $handle (param i32) (result i32) (call $alive))
