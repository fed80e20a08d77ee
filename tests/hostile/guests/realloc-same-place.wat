;;! does = "Puts everything that it is given at the same place, and reads what is left of it."
;;! bound = "only the guest's own memory suffers"
;;! verdict.answers = "alive"
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (i32.const 65536))
(func $handle (param i32) (result i32) (call $alive))
