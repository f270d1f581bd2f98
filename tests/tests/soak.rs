//! Memory is flat: over decisions, over principals that come and go, and over reloads.
//!
//! The ordinary run makes 100,000 decisions and 100 reloads; `CEDARGATE_SOAK=long` makes 10 million and 10,000.

use cedargate::Pdp;
use cedargate::model::{Counter, Profile, Request, Timestamp};
use std::time::Duration;

/// What the process may grow by after it has warmed up: allocators keep some for themselves.
const GROWTH_BYTES_MAX: u64 = 24 << 20;

const PAGE_BYTES: u64 = 4096;

/// Principals that are asked about in turn; more than an instance of the pool keeps would be evicted.
const PRINCIPALS: usize = 200;

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}

fn runs() -> (usize, usize) {
    let long = std::env::var_os("CEDARGATE_SOAK").is_some_and(|value| value == "long");
    if long { (10_000_000, 10_000) } else { (100_000, 100) }
}

#[test]
fn memory_is_flat() {
    let (decisions, reloads) = runs();
    let pdp = Pdp::builder().deadline(Duration::from_secs(1)).instances_max(2).build().unwrap();
    let bundle = cedargate::Bundle::default_set();
    let principals: Vec<_> =
        (0..PRINCIPALS).map(|n| pdp.principal(&Profile::general(format!("tok_{n}"))).unwrap()).collect();
    let mut request = Request::new("chat.completions");
    let counter = Counter::new(1_000, 1, 1);
    request.provider = Some("openai".to_owned());
    let mut decide = |n: usize| {
        request.model = Some(format!("model-{}", n % 1_000));
        // With counters a decision is the component's, without it is mostly remembered.
        request.rate = n.is_multiple_of(2).then(|| counter.clone());
        let decision = pdp.decide(&principals[n % PRINCIPALS], &request, Timestamp::from_millis(n as i64));
        assert!(decision.is_allow(), "{decision:?}");
    };
    (0..decisions / 10).for_each(&mut decide);
    let warm = resident_bytes();
    (0..decisions).for_each(&mut decide);
    let after_decisions = resident_bytes();
    println!("{decisions} decisions: {warm} bytes resident before, {after_decisions} after");
    assert!(after_decisions < warm + GROWTH_BYTES_MAX, "{warm} grew to {after_decisions}");

    for _ in 0..reloads / 10 {
        pdp.reload_blocking(bundle.clone()).unwrap();
    }
    let warm = resident_bytes();
    for n in 0..reloads {
        pdp.reload_blocking(bundle.clone()).unwrap();
        decide(n);
    }
    let after_reloads = resident_bytes();
    println!("{reloads} reloads: {warm} bytes resident before, {after_reloads} after");
    assert!(after_reloads < warm + GROWTH_BYTES_MAX, "{warm} grew to {after_reloads}");
}
