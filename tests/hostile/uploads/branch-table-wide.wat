;;! does = "A table of 400,000 branches."
;;! bound = "size of a function"
;;! verdict.refused = "branch targets"
(func (export "wide") (param i32) block (br_table <<400_000 * 0 >> 0 (local.get 0)) end)
(func $handle (param i32) (result i32) (call $alive))
