;;! does = "Logs a line of a kilobyte for ever."
;;! bound = "log_bytes of a turn; a line that is dropped is paid for too"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
(import "switchboard:brain/log@0.1.0" "write" (func $log (param i32 i32 i32)))

(data (i32.const 8192) "<<32 * a line of the log, of 32 bytes. >>")
(func $handle (param i32) (result i32)
  (loop $again (call $log (i32.const 2) (i32.const 8192) (i32.const 1024)) (br $again))
  (unreachable))
