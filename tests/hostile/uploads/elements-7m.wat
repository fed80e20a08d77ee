;;! does = "7 million elements for a table, 7 MB of them: 24 GB for the compiler."
;;! bound = "elements of a module, looked at before anything is compiled"
;;! verdict.refused = "elements"
(table $t 1 funcref)
(elem $e func <<7_000_000 * $handle >>)
(func $handle (param i32) (result i32) (call $alive))
