;;! does = "Has a name of a megabyte looked up."
;;! bound = "a guest has no network, and arguments have bounds"
;;! verdict.fails = { code = ["call"], says = "handed over" }
(import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
(import "wasi:sockets/ip-name-lookup@0.2.6" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1000000)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 1000000))
  (loop $again
    (call $resolve (call $network) (local.get $at) (i32.const 1000000) (i32.const 512))
    (br $again))
  (unreachable))
