;;! does = "Logs a line of 15 MB, for ever."
;;! bound = "log_bytes of a turn, and what is carried is paid for by the byte"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 15000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 15000000))
  (loop $again (call $log (i32.const 3) (local.get $at) (i32.const 15000000)) (br $again))
  (unreachable))
