;;! does = "Sorts by 2,000 fields, none of which decides."
;;! bound = "sorts of a question"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "call"], says = "limit" }
;;! things = '''[<<1_000 * {"id": {#}, "tags": "same"},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "find" (func $find (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(data (i32.const 4096) "thingstagsid")
(data (i32.const 16384) "<<2_000 * \06\10\00\00\04\00\00\00\01\00\00\00>>")

(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 262144))
    (call $find (i32.const 4096) (i32.const 6) (i32.const 16384) (i32.const 0) (i32.const 16384) (i32.const 2000)
      (i32.const 100) (i32.const 0) (i32.const 512))
    (br $again))
  (unreachable))
