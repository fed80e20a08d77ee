;;! does = "Has types that need a garbage collector."
;;! bound = "what the gateway's engine does not have is refused"
;;! verdict.refused = ""
(type $s (struct (field i32)))
(func (export "makes") (drop (struct.new $s (i32.const 1))))
(func $handle (param i32) (result i32) (call $alive))
