;; A component that keeps the contract, admits everything, and does what `$misbehave` does when it is asked to.
;;
;; A call misbehaves where its first text holds the word `EVIL`; a bundle that holds `LATE` has an image that does.
;; `$misbehave` comes from the hostile file and stands in place of the line of dots. Its parameter says at which
;; offset of a reply the error begins, for those that reply; its result is the address of the reply.

(module
  (import "[export]cedargate:authz/authz@0.1.0" "[resource-new]policy-set" (func $new_set (param i32) (result i32)))
  (import "[export]cedargate:authz/authz@0.1.0" "[resource-new]principal" (func $new_principal (param i32) (result i32)))

  (memory (export "memory") 2)

  ;; The texts of `abi`, `info` and `decide-text`.
  (data (i32.const 1024)
    "{\"v\":1,\"contract\":\"0.1.0\",\"plugin\":\"0.1.0\",\"cedar_language\":\"4.6.0\",\"limits\":{\"bundle_bytes\":1677721"
    "6,\"policies\":20000,\"policy_bytes\":65536,\"depth\":64,\"request_bytes\":65536,\"id_bytes\":256,\"list_entrie"
    "s\":256,\"attributes_bytes\":16384,\"attributes_depth\":16,\"batch\":1024,\"reply_bytes\":65536,\"load_reply_b"
    "ytes\":67108864}}")
  (data (i32.const 2048)
    "{\"v\":1,\"kind\":\"profile\",\"digest\":\"sha256:00000000000000000000000000000000000000000000000000000000000"
    "00000\",\"policies\":[],\"outcomes\":[{\"name\":\"unavailable\",\"status\":503},{\"name\":\"request_invalid\",\"stat"
    "us\":400},{\"name\":\"unauthenticated\",\"status\":401},{\"name\":\"policy_error\",\"status\":503},{\"name\":\"forbi"
    "dden\",\"status\":403},{\"name\":\"not_permitted\",\"status\":403},{\"name\":\"throttled\",\"status\":429},{\"name\":"
    "\"allowed\",\"status\":200}],\"fields\":[\"action\",\"attributes\",\"budget\",\"client_ip\",\"consumer_group\",\"gate"
    "way_id\",\"model\",\"org_id\",\"provider\",\"rate\",\"target\",\"team_budget\",\"team_id\",\"team_rate\"],\"settings\":"
    "{\"teams\":\"open\",\"max_cache_ms\":1000},\"limits\":{\"bundle_bytes\":16777216,\"policies\":20000,\"policy_byte"
    "s\":65536,\"depth\":64,\"request_bytes\":65536,\"id_bytes\":256,\"list_entries\":256,\"attributes_bytes\":16384"
    ",\"attributes_depth\":16,\"batch\":1024,\"reply_bytes\":65536,\"load_reply_bytes\":67108864},\"warnings\":[],\""
    "warning_count\":0}")
  (data (i32.const 4096)
    "{\"v\":1,\"decision\":\"allow\",\"outcome\":\"allowed\",\"status\":200,\"policies\":[],\"errors\":[],\"policy_set\":\"s"
    "ha256:0000000000000000000000000000000000000000000000000000000000000000\",\"valid\":{\"from\":0,\"until\":0}"
    ",\"reads\":[]}")

  ;; Replies are written here; arguments lie above.
  (global $reply i32 (i32.const 8192))
  (global $free (mut i32) (i32.const 16384))
  (global $late (mut i32) (i32.const 0))

  (func (export "cabi_realloc") (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $bytes)))
    (if (i32.gt_u (global.get $free) (i32.shl (memory.size) (i32.const 16)))
      (then
        (drop (memory.grow (i32.add (i32.shr_u (local.get $bytes) (i32.const 16)) (i32.const 1))))))
    (local.get $at))

  ;; What was passed is not needed after a call.
  (func $forget (global.set $free (i32.const 16384)))

  ;; Whether a text holds a word of four letters.
  (func $holds (param $at i32) (param $bytes i32) (param $word i32) (result i32)
    (local $end i32)
    (local.set $end (i32.sub (i32.add (local.get $at) (local.get $bytes)) (i32.const 3)))
    (block $no
      (loop $next
        (br_if $no (i32.ge_s (local.get $at) (local.get $end)))
        (if (i32.eq (i32.load align=1 (local.get $at)) (local.get $word))
          (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  (func $evil (param $at i32) (param $bytes i32) (result i32)
    (call $forget)
    (call $holds (local.get $at) (local.get $bytes) (i32.const 0x4c495645)))

  ;; A reply that is two numbers: the address and length of a text or a list.
  (func $two (param $at i32) (param $length i32) (result i32)
    (i32.store (global.get $reply) (local.get $at))
    (i32.store offset=4 (global.get $reply) (local.get $length))
    (global.get $reply))

  ;; A reply that is a handle.
  (func $handle (param $handle i32) (result i32)
    (i32.store (global.get $reply) (i32.const 0))
    (i32.store offset=4 (global.get $reply) (local.get $handle))
    (global.get $reply))

  ;; A reply that is the first case of an error, with a text. The error begins at `$offset` of the reply.
  (func $error (param $offset i32) (param $at i32) (param $length i32) (result i32)
    (local $error i32)
    (local.set $error (i32.add (global.get $reply) (local.get $offset)))
    (i32.store (global.get $reply) (i32.const 1))
    (i32.store (local.get $error) (i32.const 0))
    (i32.store offset=4 (local.get $error) (local.get $at))
    (i32.store offset=8 (local.get $error) (local.get $length))
    (global.get $reply))

  ;; A reply that is a decision: an allow that rests on no policy, with a list of policies at an address.
  (func $allow (param $time i64) (param $policies i32) (param $length i32) (result i32)
    (memory.fill (global.get $reply) (i32.const 0) (i32.const 64))
    (i32.store offset=8 (global.get $reply) (i32.const 1))
    (i32.store offset=12 (global.get $reply) (i32.const 7))
    (i32.store offset=24 (global.get $reply) (local.get $policies))
    (i32.store offset=28 (global.get $reply) (local.get $length))
    (i64.store offset=40 (global.get $reply) (local.get $time))
    (i64.store offset=48 (global.get $reply) (local.get $time))
    (global.get $reply))

  ;; ..........

  (func (export "cedargate:authz/authz@0.1.0#abi") (result i32)
    (call $two (i32.const 1024) (i32.const 316)))

  (func (export "cedargate:authz/authz@0.1.0#[static]policy-set.load") (param $at i32) (param $bytes i32) (result i32)
    (if (call $evil (local.get $at) (local.get $bytes)) (then (return (call $misbehave (i32.const 4)))))
    (global.set $late (call $holds (local.get $at) (local.get $bytes) (i32.const 0x4554414c)))
    (call $handle (call $new_set (i32.const 1))))

  (func (export "cedargate:authz/authz@0.1.0#[static]policy-set.restore") (param $at i32) (param $bytes i32) (result i32)
    (if (call $evil (local.get $at) (local.get $bytes)) (then (return (call $misbehave (i32.const 4)))))
    (call $handle (call $new_set (i32.const 1))))

  (func (export "cedargate:authz/authz@0.1.0#[method]policy-set.image") (param $set i32) (result i32)
    (i32.store (i32.const 12288) (i32.mul (global.get $late) (i32.const 0x4c495645)))
    (call $two (i32.const 12288) (i32.const 4)))

  (func (export "cedargate:authz/authz@0.1.0#[method]policy-set.info") (param $set i32) (result i32)
    (call $two (i32.const 2048) (i32.const 917)))

  (func (export "cedargate:authz/authz@0.1.0#[method]policy-set.prepare") (param $set i32) (param $at i32) (param $bytes i32) (result i32)
    (if (call $evil (local.get $at) (local.get $bytes)) (then (return (call $misbehave (i32.const 4)))))
    (call $handle (call $new_principal (i32.const 1))))

  (func (export "cedargate:authz/authz@0.1.0#[method]policy-set.authorize") (param $set i32) (param $at i32) (param $bytes i32) (result i32)
    (call $error (i32.const 4) (i32.const 0) (i32.const 0)))

  (func (export "cedargate:authz/authz@0.1.0#[method]principal.decide")
    (param $principal i32) (param $time i64) (param $at i32) (param $bytes i32) (param $counters i32) (param $length i32)
    (result i32)
    (if (call $evil (local.get $at) (local.get $bytes)) (then (return (call $misbehave (i32.const 8)))))
    (call $allow (local.get $time) (i32.const 0) (i32.const 0)))

  ;; All or nothing: a batch is walked by the host, one by one, where one of its requests kills the instance.
  (func (export "cedargate:authz/authz@0.1.0#[method]principal.decide-many")
    (param $principal i32) (param $time i64) (param $at i32) (param $length i32) (param $counters i32) (param $counted i32)
    (result i32)
    (unreachable))

  (func (export "cedargate:authz/authz@0.1.0#[method]principal.decide-text")
    (param $principal i32) (param $time i64) (param $at i32) (param $bytes i32) (param $counters i32) (param $length i32)
    (result i32)
    (if (call $evil (local.get $at) (local.get $bytes)) (then (return (call $misbehave (i32.const 0)))))
    (call $two (i32.const 4096) (i32.const 212))))
