;;! does = "100,000 blocks in each other."
;;! bound = "nesting in a function"
;;! verdict.refused = "blocks inside each other"
(func (export "deep") <<100_000 * block >> <<100_000 * end >>)
(func $handle (param i32) (result i32) (call $alive))
