;;! does = "Imports requests to other hosts."
;;! bound = "what is not granted is not there"
;;! verdict.refused = "http"
(import "switchboard:brain/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
(func $handle (param i32) (result i32) (call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (call $alive))
