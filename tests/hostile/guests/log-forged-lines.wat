;;! does = "Logs what looks like lines of the gateway: line breaks, ANSI codes, bidi marks, NUL."
;;! bound = "a guest's text is one visible line, in a field of its own"
;;! verdict.answers = "alive"
;;! forges = "LFORGE"
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(data (i32.const 8192) "harmless\0a2026-01-01T00:00:00Z ERROR switchboard: LFORGE the store is damaged\0d\0aLFORGE\1b[2J\1b[31m\00\e2\80\aeLFORGE\e2\80\a8LFORGE")
(func $handle (param i32) (result i32)
  (call $log (i32.const 4) (i32.const 8192) (i32.const 112))
  (call $log (i32.const 2) (i32.const 8192) (i32.const 112))
  (call $alive))
