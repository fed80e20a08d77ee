;;! does = "Looks for a text of 50,000 letters in lists of 3,500."
;;! bound = "a search pays by the comparison; a value has a bound of its own"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "call"], says = "limit" }
;;! own = ["memory"]
;;! things = '''[<<40 * {"id": {#}, "tags": [<<3_500 * 7,>>0]},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "find" (func $find (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(data (i32.const 4096) "thingstagsid")
(data (i32.const 16384) "\06\10\00\00\04\00\00\00\06\00\00\00\00\00\02\00\52\c3\00\00")
(memory (export "memory") 5) (data (i32.const 131072) "\22<<50000 * a>>\22")
(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 262144))
    (call $find (i32.const 4096) (i32.const 6) (i32.const 16384) (i32.const 1) (i32.const 16384) (i32.const 0)
      (i32.const 100) (i32.const 0) (i32.const 512))
    (br $again))
  (unreachable))
