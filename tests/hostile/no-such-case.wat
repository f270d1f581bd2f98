;; Replies with a case that the contract does not have.
(func $misbehave (param $offset i32) (result i32)
  (i32.store (global.get $reply) (i32.const 77))
  (global.get $reply))
