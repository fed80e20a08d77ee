;; What a case need not write itself, in pieces. A case that says `own = ["realloc"]` writes that piece.
;; Below 1024 lies nothing, answers are built from 1024 on, cases put their data at 4096 and above;
;; what the gateway hands over is put behind 65536.

;; piece memory
(memory (export "memory") 2)

;; piece realloc
(global $heap (mut i32) (i32.const 65536))
(func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32)
  (result i32)
  (local $at i32) (local $have i32)
  (local.set $at
    (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
  (global.set $heap (i32.add (local.get $at) (local.get $size)))
  (local.set $have (i32.mul (memory.size) (i32.const 65536)))
  (if (i32.gt_u (global.get $heap) (local.get $have))
    (then
      (if (i32.eq
            (memory.grow
              (i32.add (i32.div_u (i32.sub (global.get $heap) (local.get $have)) (i32.const 65536)) (i32.const 1)))
            (i32.const -1))
        (then (unreachable)))))
  (local.get $at))

;; piece turn
(export "switchboard:brain/turn@0.1.0#handle" (func $handle))

;; piece answers
;; Nothing to do.
(func $done (result i32) (call $list (i32.const 0) (i32.const 0)))
;; These actions, 72 bytes each.
(func $list (param $at i32) (param $count i32) (result i32)
  (i32.store (i32.const 1024) (i32.const 0))
  (i32.store (i32.const 1028) (local.get $at))
  (i32.store (i32.const 1032) (local.get $count))
  (i32.store (i32.const 1036) (i32.const 0))
  (i32.const 1024))
;; The last answer, with this memory to keep.
(func $remember (param $at i32) (param $length i32)
  (i32.store (i32.const 1036) (i32.const 1))
  (i32.store (i32.const 1040) (local.get $at))
  (i32.store (i32.const 1044) (local.get $length)))
;; One text.
(func $text (param $at i32) (param $length i32) (result i32)
  (call $put_text (i32.const 1088) (local.get $at) (local.get $length))
  (call $list (i32.const 1088) (i32.const 1)))
;; Writes an action that sends a text.
(func $put_text (param $to i32) (param $at i32) (param $length i32)
  (i32.store (local.get $to) (i32.const 0))
  (i32.store (i32.add (local.get $to) (i32.const 8)) (i32.const 0))
  (i32.store (i32.add (local.get $to) (i32.const 16)) (local.get $at))
  (i32.store (i32.add (local.get $to) (i32.const 20)) (local.get $length))
  (i32.store (i32.add (local.get $to) (i32.const 56)) (i32.const 0)))
;; `alive`, which the last bytes below 1024 hold.
(func $alive (result i32) (call $text (i32.const 1000) (i32.const 5)))
(data (i32.const 1000) "alive")
;; A fault.
(func $fault (param $code i32) (param $coded i32) (param $message i32) (param $messaged i32) (result i32)
  (i32.store (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1028) (local.get $code))
  (i32.store (i32.const 1032) (local.get $coded))
  (i32.store (i32.const 1036) (local.get $message))
  (i32.store (i32.const 1040) (local.get $messaged))
  (i32.store (i32.const 1044) (i32.const 0))
  (i32.const 1024))
