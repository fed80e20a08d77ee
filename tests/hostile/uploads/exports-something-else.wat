;;! does = "Exports a function of the contract's name that takes and gives nothing."
;;! bound = "exports have the contract's types"
;;! verdict.refused = ""
;;! form = "wat"
(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (component $c (import "f" (func $f)) (export "handle" (func $f)))
  (instance $turn (instantiate $c (with "f" (func $f))))
  (export "switchboard:brain/turn@0.1.0" (instance $turn)))
