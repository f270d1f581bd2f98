;; Replies with an allow that rests on policies which the set does not have. Only `decide` has such a reply: elsewhere it
;; is a case that the contract does not have.
(func $misbehave (param $offset i32) (result i32)
  (drop (call $allow (i64.const 0) (i32.const 1024) (i32.const 16)))
  (if (i32.ne (local.get $offset) (i32.const 8))
    (then (i32.store (global.get $reply) (i32.const 77))))
  (global.get $reply))
