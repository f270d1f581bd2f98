;; Never comes back.
(func $misbehave (param $offset i32) (result i32)
  (loop $again (br $again))
  (unreachable))
