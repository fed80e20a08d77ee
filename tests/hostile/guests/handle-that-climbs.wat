;;! does = "Reads a file by a handle that climbs out of the directory."
;;! bound = "a handle is a name in the store, never a path"
;;! verdict.answers = "alive"
(import "switchboard:brain/media@0.1.0" "read" (func $read (param i32 i32 i64 i32 i32)))

(data (i32.const 4096) "../../../../../../etc/passwd")
(func $handle (param i32) (result i32)
  (call $read (i32.const 4096) (i32.const 28) (i64.const 0) (i32.const 65536) (i32.const 512))
  ;; Refused: bytes would be a leak.
  (if (i32.eqz (i32.load8_u (i32.const 512))) (then (unreachable)))
  (call $alive))
