;; Replies with a text that lies beyond its memory.
(func $misbehave (param $offset i32) (result i32)
  (if (i32.eqz (local.get $offset))
    (then (return (call $two (i32.const 0xfffffff0) (i32.const 64)))))
  (call $error (local.get $offset) (i32.const 0xfffffff0) (i32.const 64)))
