;; Calls itself until the stack ends.
(func $misbehave (param $offset i32) (result i32)
  (i32.add (call $misbehave (local.get $offset)) (i32.const 1)))
