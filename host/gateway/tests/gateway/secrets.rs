//! After a busy time, no secret that was in play is to be found anywhere.

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use cedargate_tokens::{Rotation, Selector};
use http::Method;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::client::{Client, chat};
use crate::provider::{self, Provider};
use crate::world::{World, mistyped};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_events_records_database_replies_or_metrics() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    // The only test that sets it: everything that any thread of this process logs is looked at.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let own_key = "sk-upstream-0123456789abcdefghij";
    let foreign = "sk-client-0123456789abcdefghij";
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let folder = tempfile::tempdir().unwrap();
    let (key, record) = (folder.path().join("key"), folder.path().join("requests.jsonl"));
    fs::write(&key, own_key).unwrap();
    let tables = provider::tables(&provider).replace(
        "[[models]]",
        &format!("key_file = {:?}\npass_through = [\"sk-\"]\n[[models]]", key.display().to_string()),
    );
    let mut config = crate::world::config(&tables);
    config.record = Some(record.clone());
    let world = World::started(config, |_| {}).await;

    let plain = world.secret("plain").await;
    let revoked = world.secret("revoked").await;
    world.tokens.revoke(&Selector::Name("revoked".to_owned()), None).await.unwrap();
    let old = world.secret("rotated").await;
    let rotated = world.tokens.rotate(&Selector::Name("rotated".to_owned()), &Rotation::default()).await.unwrap();
    let new = rotated.secret.expose().to_owned();
    let never = mistyped(&plain);
    let secrets = [plain.as_str(), &revoked, &old, &new, &never, own_key, foreign];

    let mut seen = String::new();
    let mut note = |reply: crate::client::Reply| {
        seen.push_str(reply.text());
        seen.push_str(&format!("{:?}", reply.headers));
    };
    let http2 = Client::http2(world.running.addresses()[0]);
    for secret in secrets {
        note(http2.chat(secret, "m").await);
        note(world.client.chat(secret, "m").await);
        note(world.client.chat(secret, "no-such-model").await);
        note(world.client.get("/v1/models", secret).await);
        note(world.client.get(&format!("/v1/models?api_key={secret}"), secret).await);
        note(world.client.get(&format!("/v1/{secret}"), secret).await);
        note(world.client.post("/v1/chat/completions", secret, &json!([secret])).await);
        let headers = [("x-api-key", secret), ("content-type", secret)];
        let body = chat("m").to_string();
        note(world.client.send(world.client.request(Method::POST, "/v1/messages", &headers, &body)).await);
    }
    seen.push_str(&format!("{:?}", world.events().await));
    seen.push_str(&world.metrics().await);
    seen.push_str(&format!("{:?} {:?}", world.tokens, world.store));
    seen.push_str(&format!("{:?}", world.store.audit_after(0, 1_000).await.unwrap()));
    let database = world.path("");
    world.running.shutdown().await;

    for file in fs::read_dir(database).unwrap().chain(fs::read_dir(folder.path()).unwrap()) {
        let path = file.unwrap().path();
        if path.is_file() && path != key {
            seen.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    seen.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(seen.contains("token_revoked") && seen.contains("forwarding"), "the looking looked at something");
    for secret in secrets {
        assert!(!seen.contains(secret), "{}…", &secret[..12]);
    }
}
