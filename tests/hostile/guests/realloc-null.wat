;;! does = "Puts everything that it is given at 0."
;;! bound = "only the guest's own memory suffers"
;;! verdict.answers = "alive"
;;! own = ["realloc"]
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32) (i32.const 0))
(func $handle (param i32) (result i32) (call $text (i32.const 65600) (i32.const 5)))
(data (i32.const 65600) "alive")
