;; Replies with a text that is not UTF-8.
(data (i32.const 12320) "\ff\fe\c0\80")
(func $misbehave (param $offset i32) (result i32)
  (if (i32.eqz (local.get $offset))
    (then (return (call $two (i32.const 12320) (i32.const 4)))))
  (call $error (local.get $offset) (i32.const 12320) (i32.const 4)))
