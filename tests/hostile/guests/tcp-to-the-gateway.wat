;;! does = "Wants a socket and the network to reach the gateway's own port, and goes on when it gets none."
;;! bound = "a guest has no network"
;;! verdict.answers = "alive"
(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $create (param i32 i32)))
(import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
(import "wasi:sockets/tcp@0.2.6" "[method]tcp-socket.start-connect" (func $connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(func $handle (param i32) (result i32)
  (call $create (i32.const 0) (i32.const 512))
  ;; A socket that there is must not connect.
  (if (i32.eqz (i32.load8_u (i32.const 512)))
    (then
      (call $connect (i32.load (i32.const 516)) (call $network) (i32.const 0) (i32.const 8000)
        (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 528))
      (if (i32.eqz (i32.load8_u (i32.const 528))) (then (unreachable)))))
  (call $alive))
