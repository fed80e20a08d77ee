;;! does = "Panics with a message and a place full of line breaks and codes."
;;! bound = "a panic's text is one visible line, bounded"
;;! verdict.fails = { code = ["trap"], says = "panicked" }
;;! forges = "PFORGE"
(import "switchboard:brain/log@0.1.0" "panicked" (func $panicked (param i32 i32 i32 i32 i32)))

(data (i32.const 8192) "\0aERROR switchboard: PFORGE\0d\1b[2JPFORGE\e2\80\aePFORGE")
(func $handle (param i32) (result i32)
  (call $panicked (i32.const 8192) (i32.const 47) (i32.const 8192) (i32.const 47) (i32.const -1))
  (unreachable))
