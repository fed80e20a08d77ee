;;! does = "Puts what it is given behind its memory."
;;! bound = "what the gateway writes lies within the memory of the guest"
;;! verdict.fails = { code = ["trap"], says = "memory" }
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (i32.const -4096))
(func $handle (param i32) (result i32) (call $alive))
