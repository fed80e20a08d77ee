;;! does = "Looks for directories, variables and arguments, and traps if there is one."
;;! bound = "a guest sees nothing of the machine"
;;! verdict.answers = "alive"
(import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
(import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
(import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))

(func $handle (param i32) (result i32)
  (call $directories (i32.const 512))
  (call $environment (i32.const 520))
  (call $arguments (i32.const 528))
  (if (i32.or (i32.or (i32.load (i32.const 516)) (i32.load (i32.const 524))) (i32.load (i32.const 532)))
    (then (unreachable)))
  (call $alive))
