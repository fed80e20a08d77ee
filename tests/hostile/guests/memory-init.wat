;;! does = "Copies a data segment of a megabyte into its memory for ever."
;;! bound = "an instruction pays by the byte, or the epoch ends it"
;;! verdict.fails = { code = ["fuel", "wall-time"], says = "limit" }
(data $long "<<1000000 * x>>")
(func $handle (param i32) (result i32)
  (drop (memory.grow (i32.const 20)))
  (loop $again
    (memory.init $long (i32.const 65536) (i32.const 0) (i32.const 1000000))
    (br $again))
  (unreachable))
