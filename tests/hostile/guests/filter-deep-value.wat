;;! does = "Filters by a value that is a list in a list, 20,000 deep."
;;! bound = "a value has a bound of its own and is refused"
;;! verdict.answers = "alive"
;;! own = ["memory"]
;;! things = '''[<<40 * {"id": {#}, "tags": [<<3_500 * 7,>>0]},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "find" (func $find (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(data (i32.const 4096) "thingstags")
(data (i32.const 16384) "\06\10\00\00\04\00\00\00\00\00\00\00\00\00\02\00\40\9c\00\00")
(memory (export "memory") 5) (data (i32.const 131072) "<<20000 * [>><<20000 * ]>>")
(func $handle (param i32) (result i32)
  (global.set $heap (i32.const 262144))
  (call $find (i32.const 4096) (i32.const 6) (i32.const 16384) (i32.const 1) (i32.const 0) (i32.const 0)
    (i32.const 100) (i32.const 0) (i32.const 512))
  ;; Refused, not found.
  (if (i32.eqz (i32.load8_u (i32.const 512))) (then (unreachable)))
  (call $alive))
