;;! does = "Reads behind its memory."
;;! bound = "a trap costs one turn"
;;! verdict.fails = { code = ["trap"], says = "out of bounds memory access" }
(func $handle (param i32) (result i32) (local i32)
  (i32.load (i32.const -8)))
