;;! does = "Makes TCP sockets for ever."
;;! bound = "no socket is made for a guest; a call is paid for before it is done"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "trap"], says = "limit" }
(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $create (param i32 i32)))

(func $handle (param i32) (result i32)
  (loop $again (call $create (i32.const 1) (i32.const 512)) (br $again))
  (unreachable))
