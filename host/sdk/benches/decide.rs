//! What a call of [`Pdp::decide`] costs, by how much of it is known already: `cargo bench -p cedargate`.
#![expect(clippy::unwrap_used, reason = "a bench")]

use cedargate::Pdp;
use cedargate::model::{Counter, Profile, Request, Timestamp};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const AT: i64 = 1_776_948_300_000;

fn request(number: u32) -> Request {
    let mut request = Request::new("chat.completions");
    request.provider = Some("openai".to_owned());
    request.model = Some(format!("gpt-{number}"));
    request.gateway_id = Some("gw-east".to_owned());
    request.client_ip = Some(format!("10.0.{}.{}", number / 250 % 250, number % 250));
    request
}

fn decide(criterion: &mut Criterion) {
    let pdp = Pdp::builder().build().unwrap();
    let principal = pdp.principal(&Profile::general("tok_bench")).unwrap();
    let mut at = AT;
    let mut later = move || {
        at += 1;
        Timestamp::from_millis(at)
    };
    for number in 0..100 {
        let _ = pdp.decide(&principal, &request(number), later());
    }
    let seen = request(1);
    criterion.bench_function("remembered by the SDK", |bench| {
        bench.iter(|| black_box(pdp.decide(&principal, &seen, later())));
    });
    // Counters are nothing that the SDK remembers.
    let text = serde_json::to_string(&seen).unwrap();
    let counters = serde_json::json!({"budget": Counter::new(1_000_000, 10, 1)}).to_string();
    criterion.bench_function("counters", |bench| {
        bench.iter(|| black_box(pdp.decide_json(&principal, &text, &counters, later())));
    });
    let forgetting = Pdp::builder().remember(0).build().unwrap();
    let known = forgetting.principal(&Profile::general("tok_bench")).unwrap();
    criterion.bench_function("through the component", |bench| {
        bench.iter(|| black_box(forgetting.decide_json(&known, &text, "", later())));
    });
    let mut number = 1_000;
    criterion.bench_function("not seen before", |bench| {
        bench.iter_batched(
            || {
                number += 1;
                request(number)
            },
            |request| black_box(pdp.decide(&principal, &request, Timestamp::from_millis(AT))),
            BatchSize::SmallInput,
        );
    });
    let batch: Vec<Request> = (0..64).map(request).collect();
    criterion.bench_function("64 at once, through the component", |bench| {
        bench.iter(|| black_box(forgetting.decide_many(&known, &batch, later())));
    });
}

criterion_group!(benches, decide);
criterion_main!(benches);
