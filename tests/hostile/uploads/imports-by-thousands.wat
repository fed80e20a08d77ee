;;! does = "5,000 imports of one function."
;;! bound = "imports of a module"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (core module $m
    <<5_000 * (import "a" "f{#}" (func)) >>)
  (import "wasi:cli/exit@0.2.6" (instance)))
