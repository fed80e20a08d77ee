;;! does = "300 KB of code that is never reached."
;;! bound = "size of a function"
;;! verdict.either = ""
(func (export "dead") unreachable <<60_000 * i32.const 7 drop >>)
(func $handle (param i32) (result i32) (call $alive))
