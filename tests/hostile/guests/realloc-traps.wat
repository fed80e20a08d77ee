;;! does = "Traps when it is asked for memory."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "unreachable" }
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (unreachable))
(func $handle (param i32) (result i32) (call $alive))
