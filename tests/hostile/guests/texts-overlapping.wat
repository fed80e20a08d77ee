;;! does = "Wants 32 texts sent that are all the same 16 KB of its memory."
;;! bound = "texts of a turn together"
;;! verdict.fails = { code = ["text"], says = "together" }
(func $handle (param i32) (result i32) (local $n i32) (local $at i32) (local $text i32)
  (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 2304)))
  (local.set $text (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 16000)))
  (memory.fill (local.get $text) (i32.const 97) (i32.const 16000))
  (loop $more
    (call $put_text (i32.add (local.get $at) (i32.mul (local.get $n) (i32.const 72))) (local.get $text) (i32.const 16000))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 32))))
  (call $list (local.get $at) (i32.const 32)))
