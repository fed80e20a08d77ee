;;! does = "Has the last record of a collection of 5,000 looked up, for ever."
;;! bound = "calls of a turn"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time"], says = "limit" }
;;! things = '''[<<5_000 * {"id": {#}},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))

(data (i32.const 4096) "thingslast")
(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $get (i32.const 4096) (i32.const 6) (i32.const 4102) (i32.const 4) (i32.const 512))
    (br $again))
  (unreachable))
