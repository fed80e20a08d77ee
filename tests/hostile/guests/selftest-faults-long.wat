;;! does = "Fails its selftest with a message of 500 KB, of line breaks."
;;! bound = "a fault's text is one visible line, bounded"
;;! verdict.refused = "selftest failed"
;;! answer_bytes = 20_000
(func (export "switchboard:brain/selftest@0.1.0#run") (result i32) (local $at i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 500000)))
  (memory.fill (local.get $at) (i32.const 10) (i32.const 500000))
  (i32.store (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1028) (i32.const 1000))
  (i32.store (i32.const 1032) (i32.const 5))
  (i32.store (i32.const 1036) (local.get $at))
  (i32.store (i32.const 1040) (i32.const 500000))
  (i32.const 1024))
(func $handle (param i32) (result i32) (call $alive))
