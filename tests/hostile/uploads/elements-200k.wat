;;! does = "200,000 elements for a table: 1.4 GB and ten seconds for the compiler."
;;! bound = "elements of a module, looked at before anything is compiled"
;;! verdict.refused = "elements"
(table $t 1 funcref)
(elem $e func <<200_000 * $handle >>)
(func $handle (param i32) (result i32) (call $alive))
