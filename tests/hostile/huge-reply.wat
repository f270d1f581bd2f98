;; Replies with a text of 80 MiB, which lies in its memory and is well-formed: the host must not copy it.
(func $misbehave (param $offset i32) (result i32)
  (drop (memory.grow (i32.const 1300)))
  (if (i32.eqz (local.get $offset))
    (then (return (call $two (i32.const 65536) (i32.const 83886080)))))
  (call $error (local.get $offset) (i32.const 65536) (i32.const 83886080)))
