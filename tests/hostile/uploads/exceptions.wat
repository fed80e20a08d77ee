;;! does = "Throws exceptions."
;;! bound = "what the gateway's engine does not have is refused"
;;! verdict.either = ""
(tag $t)
(func (export "throws") (throw $t))
(func $handle (param i32) (result i32) (call $alive))
