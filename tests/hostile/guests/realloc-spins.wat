;;! does = "Counts for ever when it is asked for memory."
;;! bound = "fuel of a turn"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (loop $again (br $again)) (unreachable))
(func $handle (param i32) (result i32) (call $alive))
