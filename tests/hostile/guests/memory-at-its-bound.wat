;;! does = "Keeps as much as it may, 64 KiB."
;;! bound = "state_bytes, and what a journal keeps"
;;! verdict.answers = "alive"
;;! own = ["memory"]
(data (i32.const 131072) "\22<<65534 * m>>\22")
(memory (export "memory") 4)
(func $handle (param i32) (result i32)
  (drop (call $alive))
  (call $remember (i32.const 131072) (i32.const 65536))
  (i32.const 1024))
