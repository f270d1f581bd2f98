//! Tokens that change while they are used.

use std::sync::Arc;

use cedargate_tokens::{Period, Rotation, Selector};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::world::World;

fn named(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

/// A provider that sends the first event of a stream, and the last one once it is told to.
async fn streaming(go_on: Arc<Notify>) -> Provider {
    Provider::doing(move |mut stream, _| {
        let gate = Arc::clone(&go_on);
        async move {
            let first = [provider::STREAM_HEAD, &provider::chunk("data: {\"choices\":[{}]}\n\n")].concat();
            stream.write_all(first.as_bytes()).await.unwrap();
            gate.notified().await;
            let rest = [provider::chunk("data: [DONE]\n\n"), "0\r\n\r\n".to_owned()].concat();
            stream.write_all(rest.as_bytes()).await.unwrap();
        }
    })
    .await
}

/// The body of a chat that is streamed.
async fn open(world: &World, secret: &str) -> Incoming {
    let mut body = chat("m");
    body["stream"] = json!(true);
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let request = world.client.request(Method::POST, "/v1/chat/completions", &headers, &body.to_string());
    world.client.open(request).await.into_body()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_rejected_at_once_and_its_stream_goes_on() {
    let go_on = Arc::new(Notify::new());
    let provider = streaming(Arc::clone(&go_on)).await;
    let world = World::with(&provider::tables(&provider)).await;
    let secret = world.secret("streaming").await;
    let mut stream = open(&world, &secret).await;
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"data: "));

    world.tokens.revoke(&named("streaming"), None).await.unwrap();
    let denied = world.client.chat(&secret, "m").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::UNAUTHORIZED, "token_revoked"));

    go_on.notify_one();
    let rest = stream.collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "the stream in flight reaches its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_work_in_the_grace_period_and_then_only_the_new_one() {
    let world = World::new().await;
    let old = world.secret("rotated").await;
    let rotated = world.tokens.rotate(&named("rotated"), &Rotation::default()).await.unwrap();
    for secret in [old.as_str(), rotated.secret.expose()] {
        assert_eq!(world.client.chat(secret, "gpt-4o").await.status, StatusCode::OK);
    }
    let event = world.event("rotated", |event| event.secret_version == Some(2)).await;
    assert_eq!(event.status, 200);
    world.event("rotated", |event| event.secret_version == Some(1)).await;

    let at_once = Rotation { grace: Period::hours(0), idempotency_key: None };
    let newest = world.tokens.rotate(&named("rotated"), &at_once).await.unwrap();
    let ended = world.client.chat(rotated.secret.expose(), "gpt-4o").await;
    assert_eq!((ended.status, ended.code()), (StatusCode::UNAUTHORIZED, "token_expired"));
    assert_eq!(world.client.chat(newest.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_switched_off_and_on_and_edited_while_it_is_used() {
    let world = World::new().await;
    let secret = world.secret("switched").await;
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK);
    world.tokens.disable(&named("switched")).await.unwrap();
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.code(), "token_disabled");
    world.tokens.enable(&named("switched")).await.unwrap();
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_while_its_request_arrives_is_revoked() {
    use tokio::io::AsyncReadExt;
    let world = World::new().await;
    let secret = world.secret("slow").await;
    let body = chat("gpt-4o").to_string();
    let mut stream = tokio::net::TcpStream::connect(world.running.addresses()[0]).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
        body.len(),
        &body[..10]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    crate::world::until("the request is under way", || async {
        world.metrics().await.contains("cedargate_gateway_requests_in_flight 2")
    })
    .await;
    world.tokens.revoke(&named("slow"), None).await.unwrap();
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("token_revoked"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_the_stream_in_flight() {
    let go_on = Arc::new(Notify::new());
    let provider = streaming(Arc::clone(&go_on)).await;
    let world = World::with(&provider::tables(&provider)).await;
    let secret = world.secret("streaming").await;
    let mut stream = open(&world, &secret).await;
    stream.frame().await.unwrap().unwrap();
    let address = world.running.addresses()[0];
    let World { running, store, folder: _folder, .. } = world;
    let ended = tokio::spawn(running.shutdown());
    crate::world::until("nobody accepts any more", || async { tokio::net::TcpStream::connect(address).await.is_err() })
        .await;
    assert!(!ended.is_finished());
    go_on.notify_one();
    assert!(stream.collect().await.unwrap().to_bytes().ends_with(b"data: [DONE]\n\n"));
    ended.await.unwrap();
    let events = store.events(&cedargate_tokens::EventFilter::default(), None, 10).await.unwrap();
    assert_eq!(events.len(), 1, "the last event is written before the end");
}
