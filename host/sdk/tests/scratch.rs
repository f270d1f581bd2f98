#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! Scratch.
use cedargate::{*, model::*};
use std::time::{Duration, Instant};
#[test]
fn faults() {
    let bytes = std::fs::read("/tmp/standin.wasm").unwrap();
    let t = Instant::now();
    let pdp = Pdp::builder().component(Component::from_bytes(bytes)).timings(true).memory_bytes(64 << 20).cache_dir(CodeCache::disabled()).build().unwrap();
    println!("build {:?}", t.elapsed());
    let p = pdp.principal(&Profile::general("t")).unwrap();
    println!("{:?}", pdp.principal(&Profile::general("BAD")));
    for a in ["ok", "deny", "loop", "ok", "grow", "ok", "recurse", "ok", "trap", "trap", "trap", "ok", "huge", "ok", "garbage", "ok", "malformed"] {
        let t = Instant::now();
        let d = pdp.decide(&p, &Request::new(a), Timestamp::now());
        println!("{a}: {} {:?} {:?} {:?} {:?}", d.status(), d.code(), d.outcome(), d.detail().map(|d| d.chars().take(150).collect::<String>()), t.elapsed());
    }
    let many = pdp.decide_many(&p, &(0..200).map(|i| Request::new(if i == 100 { "trap2" } else { "ok" })).collect::<Vec<_>>(), Timestamp::now());
    println!("{}", many.iter().filter(|d| d.is_allow()).count());
    let t = Instant::now();
    for _ in 0..100000 { let _ = pdp.decide(&p, &Request::new("ok"), Timestamp::from_millis(0)); }
    println!("each {:?}", t.elapsed() / 100000);
    println!("{}", pdp.metrics().to_prometheus());
}
