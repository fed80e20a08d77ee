;;! does = "Reads 100 records of 40 KB each into its memory, again and again: answers that the gateway holds."
;;! bound = "what the gateway holds for a turn counts as the turn's memory"
;;! verdict.fails = { code = ["fuel", "host-calls", "wall-time", "memory", "trap"], says = "limit" }
;;! things = '''[<<100 * {"id": {#}, "text": "<<40_000 * a>>"},>>{"id": "last"}]'''
(import "switchboard:brain/records@0.1.0" "find" (func $find (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))

(data (i32.const 4096) "things")
(func $handle (param i32) (result i32)
  (loop $again
    (global.set $heap (i32.const 65536))
    (call $find (i32.const 4096) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 100) (i32.const 0) (i32.const 512))
    (br $again))
  (unreachable))
