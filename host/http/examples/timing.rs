//! What a request costs on its way to a decision: `cargo run --release -p cedargate-http --example timing`.
#![expect(clippy::print_stdout, reason = "an example prints its table")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cedargate::Pdp;
use cedargate::model::{Profile, Timestamp};
use cedargate_http::admit::admit;
use cedargate_http::catalogue::{ModelTable, Unlisted};
use cedargate_http::credential::present;
use cedargate_http::extract::{Envelope, Limits};
use cedargate_http::facts::Facts;
use cedargate_http::hygiene::strip;
use http::Request;

const ROUNDS: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let text = "Summarise the latest escalations, with their causes. ".repeat(18);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"{text}"}}],"temperature":0.2,"stream":true,"model":"gpt-4o-mini"}}"#
    );
    let request = Request::post("/v1/chat/completions")
        .header("authorization", "Bearer kt_live_0123456789abcdefghijklmnopqrstuvwxyz")
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header("user-agent", "OpenAI/Python")
        .header("accept", "application/json");
    let parts = request.body(())?.into_parts().0;
    let mut table = ModelTable::builder();
    table.provider("openai", Unlisted::Refused).model("openai", "gpt-4o-mini");
    let (catalogue, limits) = (table.build()?, Limits::default());
    let (pdp, facts) = (Pdp::builder().build()?, Facts::default());
    let principal = pdp.principal(&Profile::general("tok_app"))?;
    let open = || Envelope::open(&parts, &limits);
    let asked = open()?.read(body.as_bytes(), &catalogue)?;

    println!("{} bytes of body, median of {ROUNDS} rounds", body.len());
    show("credential", || present(&parts));
    show("path, query and headers", open);
    show("the same, and the body", || open().and_then(|envelope| envelope.read(body.as_bytes(), &catalogue)));
    show("headers for the provider", || {
        let mut headers = parts.headers.clone();
        strip(&mut headers, "kt_live_example");
        headers
    });
    show("facts", || facts.requests(&asked));
    show("facts and decision", || admit(&pdp, &principal, &facts, &asked, Timestamp::now()));
    Ok(())
}

fn show<T>(what: &str, step: impl Fn() -> T) {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            black_box(step());
            started.elapsed()
        })
        .collect();
    rounds.sort_unstable();
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{what:<28}{:>9.2} µs", median.as_secs_f64() * 1e6);
}
