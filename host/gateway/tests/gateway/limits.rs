//! Clients that send too much, too slowly, or take nothing.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::world::{PATIENCE, World, until};

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.running.addresses()[0]).await.unwrap()
}

/// What the gateway says before it closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the gateway waits for ever");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_or_has_too_many_headers_is_refused() {
    let world = World::with("[limits]\nheader_bytes = 8192\nheaders = 20\n").await;
    let mut stream = connect(&world).await;
    let head = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(20_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let said = rest(stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let mut stream = connect(&world).await;
    let many: String = (0..40).map(|n| format!("x-{n}: 1\r\n")).collect();
    stream.write_all(format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await.unwrap();
    let said = rest(stream).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_413_whether_it_says_so_or_not() {
    let world = World::with("[limits]\nbody_bytes = 1024\n").await;
    let secret = world.secret("app").await;
    let mut body = chat("gpt-4o");
    body["padding"] = "x".repeat(2_000).into();
    let reply = world.client.post("/v1/chat/completions", &secret, &body).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let mut stream = connect(&world).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(provider::chunk(&"x".repeat(4_000)).as_bytes()).await.unwrap();
    let said = rest(stream).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_in_is_not_waited_for() {
    let world = World::with("[timeouts]\ndecision_ms = 20000\nheader_ms = 300\n").await;
    for start in ["", "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = connect(&world).await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let said = tokio::time::timeout(PATIENCE, async {
            let mut byte = [0; 64];
            loop {
                // One byte now and then: each alone would be in time.
                let _ = stream.write_all(b"x").await;
                let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
                if matches!(read, Ok(Ok(0) | Err(_))) {
                    return;
                }
            }
        });
        said.await.expect("the gateway waits for ever");
    }
    until("all are gone", || async { world.metrics().await.contains("cedargate_gateway_connections 1\n") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_408() {
    let world = World::with("[timeouts]\ndecision_ms = 20000\nbody_ms = 300\n").await;
    let secret = world.secret("app").await;
    let mut stream = connect(&world).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = rest(stream).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("request_timeout"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_given_up() {
    let provider = Provider::doing(|mut stream, _| async move {
        let mut reply = provider::STREAM_HEAD.to_owned();
        while stream.write_all(reply.as_bytes()).await.is_ok() {
            reply = provider::chunk(&"x".repeat(60_000));
        }
    })
    .await;
    let tables = format!("{}[timeouts]\ndecision_ms = 20000\nwrite_ms = 300\n", provider::tables(&provider));
    let world = World::with(&tables).await;
    let secret = world.secret("sleeper").await;
    let mut stream = connect(&world).await;
    let body = chat("m").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // Never read from the connection: the gateway has to notice by itself.
    world.event("sleeper", |event| event.status == 200).await;
    until("it is gone", || async { world.metrics().await.contains("cedargate_gateway_requests_in_flight 1\n") }).await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_a_busy_one_is_kept() {
    let world = World::with("[timeouts]\ndecision_ms = 20000\nheader_ms = 400\n").await;
    let secret = world.secret("app").await;
    let mut stream = connect(&world).await;
    let request = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\r\n");
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 4_096];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(rest(stream).await, "", "and then the gateway closes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let world = World::with("[limits]\nconnections = 2\n[timeouts]\ndecision_ms = 20000\nheader_ms = 500\n").await;
    let secret = world.secret("app").await;
    let _idle = (connect(&world).await, connect(&world).await);
    // The idle ones are closed in time, and this one gets its turn.
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK);
}
