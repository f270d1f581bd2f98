;; Traps at once.
(func $misbehave (param $offset i32) (result i32)
  (unreachable))
