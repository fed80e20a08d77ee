;;! does = "Puts what it is given at odd addresses."
;;! bound = "what the gateway writes is aligned"
;;! verdict.fails = { code = ["trap"], says = "align" }
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (i32.const 65537))
(func $handle (param i32) (result i32) (call $alive))
