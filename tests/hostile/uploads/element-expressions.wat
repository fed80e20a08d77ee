;;! does = "300,000 elements, each an expression."
;;! bound = "elements of a module, looked at before anything is compiled"
;;! verdict.refused = "elements"
(table $t 1 funcref)
(elem $e funcref <<300_000 * (ref.func $handle) >>)
(func $handle (param i32) (result i32) (call $alive))
