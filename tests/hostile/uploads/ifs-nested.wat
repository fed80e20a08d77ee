;;! does = "30,000 conditions in each other, each with both branches."
;;! bound = "nesting in a function"
;;! verdict.refused = "blocks inside each other"
(func (export "deep") (param i32) <<30_000 * local.get 0 if >> <<30_000 * else end >>)
(func $handle (param i32) (result i32) (call $alive))
