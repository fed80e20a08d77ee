;;! does = "Sends a text of a megabyte to an inner component that reads UTF-8, for ever."
;;! bound = "components inside of one call nobody but the gateway"
;;! verdict.refused = "a component inside it has functions of its own"
(import "hostile:guests/pipe" "push" (func $push (param i32 i32) (result i32)))

(func $handle (param i32) (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1048576)))
  (memory.fill (local.get $at) (i32.const 97) (i32.const 1048576))
  (loop $again
    (drop (call $push (local.get $at) (i32.const 1048576)))
    (br $again))
  (unreachable))
;;; pipe
(core module $inner
  (memory (export "memory") 80)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "push") (param i32 i32) (result i32) (local.get 1)))
(core instance $inner (instantiate $inner))
(func (export "push") (param "text" string) (result u32)
  (canon lift (core func $inner "push") (memory $inner "memory") (realloc (func $inner "realloc"))
    string-encoding=utf8))
