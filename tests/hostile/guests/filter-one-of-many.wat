;;! does = "Looks for records whose field, a list of 3,500, has one of 256 values, none of which is there."
;;! bound = "a search pays by the comparison, is sliced and ends with its turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "call"], says = "limit" }
;;! things = '''[<<40 * {"id": {#}, "tags": [<<3_500 * 7,>>0]},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "find" (func $find (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(data (i32.const 4096) "thingstagsid")
(data (i32.const 16384) "\06\10\00\00\04\00\00\00\07\00\00\00\00\14\00\00\01\07\00\00")
(data (i32.const 5120) "[<<255 * 999999,>>999999]")
(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 262144))
    (call $find (i32.const 4096) (i32.const 6) (i32.const 16384) (i32.const 1) (i32.const 16384) (i32.const 0)
      (i32.const 100) (i32.const 0) (i32.const 512))
    (br $again))
  (unreachable))
