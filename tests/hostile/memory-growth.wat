;; Asks for memory until it gets none, and traps then, as allocators do.
(func $misbehave (param $offset i32) (result i32)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (unreachable))
