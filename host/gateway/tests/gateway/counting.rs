//! What is counted: after a busy run, every family says what happened.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::reloads::{policies, retire};
use crate::world::{World, config, mistyped, until};

/// Stands in everything that a client chooses.
const MARK: &str = "zzmark";

/// Families that stay as they are in a run in which nothing breaks.
const STILL: [&str; 8] = [
    "cedargate_busy_total",
    "cedargate_full_scans_total",
    "cedargate_gateway_events_dropped_total",
    "cedargate_gateway_records_dropped_total",
    "cedargate_gateway_shadow_skipped_total",
    "cedargate_gateway_shadow_would_allow_total",
    "cedargate_gateway_tokens_unfit",
    "cedargate_traps_total",
];

/// Labels, and what they may be: no more of them come of more requests.
const LABELS: [&str; 11] =
    ["code", "component", "endpoint", "kind", "le", "outcome", "path", "policy_set", "result", "state", "status"];

type Labels = BTreeMap<String, String>;

/// The samples of one family.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: Vec<(String, Labels, f64)>,
}

struct Families(BTreeMap<String, Family>);

impl Families {
    fn read(text: &str) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut name = String::new();
        for line in text.lines() {
            if let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                name = family.to_owned();
                let before = families.insert(name.clone(), Family { kind: kind.to_owned(), samples: Vec::new() });
                assert!(before.is_none(), "`{family}` stands twice");
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (sample, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let labels = labels.strip_suffix('}').unwrap().split_terminator(',').map(|label| {
                let (name, value) = label.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            });
            let family = families.get_mut(&name).unwrap();
            assert!(sample.starts_with(&name), "`{sample}` stands among those of `{name}`");
            family.samples.push((sample.to_owned(), labels.collect(), value.parse().unwrap()));
        }
        Self(families)
    }

    /// The sum of a family's samples that have these labels.
    fn sum(&self, sample: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |of: &Labels| labels.iter().all(|(name, value)| of.get(*name).is_some_and(|is| is == value));
        let samples = self.0.values().flat_map(|family| &family.samples);
        samples.filter(|(name, of, _)| name == sample && has(of)).map(|(_, _, value)| value).sum()
    }
}

/// Holds that a histogram is one: buckets grow, the last one is the count, and the sum is one that they allow.
fn check_histogram(name: &str, family: &Family) {
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (sample, labels, value) in &family.samples {
        let mut labels = labels.clone();
        let bound = labels.remove("le");
        let buckets = series.entry(labels).or_default();
        if *sample == format!("{name}_bucket") {
            buckets.push((bound.unwrap().parse().unwrap(), *value));
        }
    }
    for (labels, buckets) in series {
        let one = |of: &str| {
            let is_it = |(sample, at, _): &&(String, Labels, f64)| *sample == format!("{name}_{of}") && *at == labels;
            family.samples.iter().find(is_it).unwrap().2
        };
        let (sum, count) = (one("sum"), one("count"));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{name} {labels:?}");
        let (mut least, mut most, mut below) = (0.0, 0.0, (0.0, 0.0));
        for (bound, counted) in buckets {
            let more = counted - below.1;
            assert!(more >= 0.0 && bound > below.0, "{name} {labels:?}: {bound}");
            least += more * below.0;
            most += if more > 0.0 { more * bound } else { 0.0 };
            below = (bound, counted);
        }
        assert!(count > 0.0 && sum > 0.0, "{name} {labels:?} never moved: {count} in {sum} s");
        let slack = 1e-6 * (count + 1.0);
        assert!(least <= sum + slack && sum <= most + slack, "{name} {labels:?}: {sum} is not in {least}..={most}");
    }
}

/// A provider that does what the model's name says.
async fn provider() -> Provider {
    Provider::doing(|mut stream, seen| async move {
        let asks = |model: &str| seen.body.contains(&format!("\"{model}\""));
        let stream_of = [provider::STREAM_HEAD, &provider::chunk("data: 1\n\n")].concat();
        // A client that is gone needs no answer.
        let _ = match () {
            () if asks("late") => std::future::pending().await,
            () if asks("fails") => stream.write_all(provider::json("500 Oh No", "{}").as_bytes()).await,
            () if asks("breaks") => stream.write_all(b"nonsense").await,
            () if asks("cut") => stream.write_all(stream_of.as_bytes()).await,
            () if asks("silent") => {
                stream.write_all(stream_of.as_bytes()).await.unwrap();
                std::future::pending().await
            }
            () => stream.write_all(provider::chat(3, 4).as_bytes()).await,
        };
    })
    .await
}

/// A request that nobody can read in one way only.
async fn malformed(world: &World) {
    let mut stream = TcpStream::connect(world.running.addresses()[0]).await.unwrap();
    stream.write_all(format!("GET /{MARK} HTTP/1.1\n\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
}

async fn busy(world: &World) {
    malformed(world).await;
    let secret = world.token(&format!("{MARK}-app"), |_| {}).await.secret.expose().to_owned();
    let bound = world.token("bound", |new| new.grant.bindings.models = Some(vec!["m".to_owned()])).await;
    let spent = world.token("spent", |new| new.allowances = vec!["1requests/day".parse().unwrap()]).await;
    let client = &world.client;
    for expected in [StatusCode::OK; 5] {
        assert_eq!(client.chat(&secret, "m").await.status, expected);
    }
    assert_eq!(client.chat(bound.secret.expose(), "other").await.status, StatusCode::FORBIDDEN);
    assert_eq!(client.chat(spent.secret.expose(), "m").await.status, StatusCode::OK);
    assert_eq!(client.chat(spent.secret.expose(), "m").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(client.chat(&secret, "both").await.status, StatusCode::OK, "two candidates are decided at once");
    assert_eq!(client.chat(&mistyped(&secret), "m").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.chat(MARK, "m").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.get("/v1/models", &secret).await.status, StatusCode::OK);
    assert_eq!(client.get(&format!("/{MARK}?{MARK}={MARK}"), &secret).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.chat(&secret, MARK).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.post("/v1/chat/completions", &secret, &json!({MARK: 1})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.chat(&secret, "fails").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(client.chat(&secret, "breaks").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(client.chat(&secret, "gone").await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(client.chat(&secret, "late").await.status, StatusCode::GATEWAY_TIMEOUT);
    let mut stream = TcpStream::connect(world.running.addresses()[0]).await.unwrap();
    stream.write_all(format!("GET /{MARK} HTTP/1.1\r\nhost: {MARK}\nx: y\r\n\r\n").as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 400"));
    for (model, waits) in [("cut", true), ("silent", false)] {
        let mut body = chat(model);
        body["stream"] = json!(true);
        let bearer = format!("Bearer {secret}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("x-request-id", MARK)];
        let mut stream = client
            .open(client.request(Method::POST, "/v1/chat/completions", &headers, &body.to_string()))
            .await
            .into_body();
        assert!(stream.frame().await.unwrap().is_ok());
        while waits && stream.frame().await.is_some_and(|frame| frame.is_ok()) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_moves_and_no_label_comes_from_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let provider = provider().await;
    let gone = Provider::saying("").await;
    let tables = format!(
        "{}[[models]]\nid = \"fake/other\"\n[[models]]\nid = \"gone/gone\"\n[[models]]\nid = \"gone/both\"\n[[models]]\n\
         id = \"fake/both\"\n{}[providers.gone]\ndialect = \"openai\"\nbase_url = \"http://{}/v1\"\n[timeouts]\n\
         decision_ms = 20000\nfirst_byte_ms = 2000\nshutdown_ms = 20000\n",
        provider::tables(&provider),
        ["fails", "breaks", "late", "cut", "silent"]
            .map(|model| format!("[[models]]\nid = \"fake/{model}\"\n"))
            .concat(),
        gone.address,
    );
    drop(gone);
    let mut config = config(&tables);
    let (live, next) = (policies(folder.path()), folder.path().join("next"));
    std::fs::rename(&live, &next).unwrap();
    std::fs::write(
        next.join("closed.cedar"),
        "@id(\"no-lists\")\n@code(\"closed\")\nforbid (principal, action == Action::\"models.list\", resource);\n",
    )
    .unwrap();
    cedargate::write_lock(&next).unwrap();
    config.policies = Some(policies(folder.path()));
    config.shadow = Some(next);
    config.record = Some(folder.path().join("requests.jsonl"));
    let world = World::started(config, |_| {}).await;
    busy(&world).await;
    assert!(world.running.reload().await.is_ok());
    retire(&live);
    cedargate::write_lock(&live).unwrap();
    world.running.reload().await.unwrap();
    std::fs::write(live.join("retired.cedar"), "forbid (").unwrap();
    cedargate::write_lock(&live).unwrap();
    assert!(world.running.reload().await.is_err());
    until("the run is over", || async {
        let families = Families::read(&world.metrics().await);
        families.sum("cedargate_gateway_replies_abandoned_total", &[]) > 0.0
            && families.sum("cedargate_gateway_shadow_would_deny_total", &[]) > 0.0
            && families.sum("cedargate_gateway_requests_in_flight", &[]) == 1.0
            && families.sum("cedargate_gateway_upstream_failures_total", &[("kind", "cut")]) > 0.0
    })
    .await;

    let text = world.metrics().await;
    let families = Families::read(&text);
    for (name, family) in &families.0 {
        let moved = family.samples.iter().any(|(_, _, value)| *value > 0.0);
        assert_eq!(moved, !STILL.contains(&name.as_str()), "`{name}`: {:?}", family.samples);
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    assert!(STILL.iter().all(|name| families.0.contains_key(*name)), "{text}");

    let decided = families.sum("cedargate_decisions_total", &[]);
    assert_eq!(families.sum("cedargate_decision_seconds_count", &[]), decided, "each decision was timed");
    let remembered = families.sum("cedargate_decision_seconds_count", &[("path", "remembered")]);
    assert!(remembered > 0.0);
    assert_eq!(families.sum("cedargate_remembered_total", &[]), remembered);
    let answered = families.sum("cedargate_gateway_requests_total", &[]);
    assert_eq!(families.sum("cedargate_gateway_head_seconds_count", &[]), answered);
    for class in ["2xx", "4xx", "5xx"] {
        assert!(families.sum("cedargate_gateway_requests_total", &[("status", class)]) > 0.0, "{class}");
    }
    for result in ["applied", "refused"] {
        assert!(families.sum("cedargate_gateway_reloads_total", &[("result", result)]) > 0.0, "{result}");
    }
    for kind in ["unreachable", "broken", "late", "cut"] {
        assert!(families.sum("cedargate_gateway_upstream_failures_total", &[("kind", kind)]) > 0.0, "{kind}");
    }
    for code in ["token_malformed", "token_unknown", "route_unknown", "model_not_found", "request_invalid"] {
        assert!(families.sum("cedargate_gateway_refusals_total", &[("code", code)]) > 0.0, "{code}");
    }
    assert_eq!(families.sum("cedargate_gateway_refusals_total", &[("code", "other")]), 0.0, "each has its own name");

    let labels = families.0.values().flat_map(|family| &family.samples).flat_map(|(_, labels, _)| labels.keys());
    let labels: BTreeSet<&str> = labels.map(String::as_str).collect();
    assert_eq!(labels, BTreeSet::from(LABELS));
    assert!(!text.contains(MARK) && !text.contains("tok_") && !text.contains("127.0.0.1"), "{text}");
}
