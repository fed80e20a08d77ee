;;! does = "60,000 loops in each other: more than a minute for the compiler."
;;! bound = "nesting in a function"
;;! verdict.refused = "loops inside each other"
(func (export "deep") <<60_000 * loop >> <<60_000 * end >>)
(func $handle (param i32) (result i32) (call $alive))
