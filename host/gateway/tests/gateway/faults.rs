//! Providers that fail, in every way that they do.

use cedargate_tokens::Verdict;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::world::{World, until};

const SHORT: &str =
    "[timeouts]\ndecision_ms = 20000\nfirst_byte_ms = 300\nidle_ms = 300\nresponse_ms = 1500\nconnect_ms = 1000\n";

async fn world(provider: &Provider) -> World {
    World::with(&format!("{}{SHORT}", provider::tables(provider))).await
}

/// Sends a request whose reply does not reach its end, and says what came of it before.
async fn broken_stream(world: &World, secret: &str) -> (StatusCode, Vec<u8>) {
    let mut body = chat("m");
    body["stream"] = json!(true);
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let request = world.client.request(Method::POST, "/v1/chat/completions", &headers, &body.to_string());
    let response = world.client.open(request).await;
    let status = response.status();
    let mut stream = response.into_body();
    let mut bytes = Vec::new();
    loop {
        match stream.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return (status, bytes),
            None => panic!("the reply looks whole: {}", String::from_utf8_lossy(&bytes)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_502() {
    let provider = Provider::saying("").await;
    let tables = provider::tables(&provider);
    drop(provider);
    let world = World::with(&format!("{tables}{SHORT}")).await;
    let secret = world.secret("app").await;
    let reply = world.client.chat(&secret, "m").await;
    // Whether its port is closed already or its connection is: both are the same to a client.
    assert_eq!((reply.status, reply.code()), (StatusCode::BAD_GATEWAY, "upstream_unreachable"), "{}", reply.text());
    let event = world.event("app", |event| event.status == 502).await;
    assert_eq!(event.decision, Verdict::Allow, "it was admitted, and failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_resets_is_502() {
    let provider = Provider::doing(|stream, _| async move {
        let stream = stream.into_std().unwrap();
        // Closing with unread data or with no time to linger resets the connection.
        drop(stream);
    })
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let reply = world.client.chat(&secret, "m").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::BAD_GATEWAY, "upstream_unreachable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_is_504() {
    let provider = Provider::doing(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let reply = world.client.chat(&secret, "m").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"));
    assert!(world.metrics().await.contains("cedargate_gateway_upstream_failures_total{kind=\"late\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_cut() {
    let provider = Provider::doing(|mut stream, _| async move {
        let first = [provider::STREAM_HEAD, &provider::chunk("data: 1\n\n")].concat();
        stream.write_all(first.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let (status, bytes) = broken_stream(&world, &secret).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &b"data: 1\n\n"[..]));
    until("counted", || async { world.metrics().await.contains("failures_total{kind=\"idle\"} 1") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_end_is_cut_at_last() {
    let provider = Provider::doing(|mut stream, _| async move {
        let mut reply = provider::STREAM_HEAD.to_owned();
        while stream.write_all(reply.as_bytes()).await.is_ok() {
            reply = provider::chunk("data: again\n\n");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let (_, bytes) = broken_stream(&world, &secret).await;
    assert!(bytes.starts_with(b"data: again\n\ndata: again\n\n"));
    until("counted", || async { world.metrics().await.contains("failures_total{kind=\"endless\"} 1") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_at_the_limit_of_bytes() {
    let provider = Provider::doing(|mut stream, _| async move {
        let mut reply = provider::STREAM_HEAD.to_owned();
        while stream.write_all(reply.as_bytes()).await.is_ok() {
            reply = provider::chunk(&"x".repeat(8_000));
        }
    })
    .await;
    let tables = format!("{}[limits]\nresponse_bytes = 100000\n", provider::tables(&provider));
    let world = World::with(&tables).await;
    let secret = world.secret("app").await;
    let (_, bytes) = broken_stream(&world, &secret).await;
    assert!(bytes.len() <= 100_000);
    until("counted", || async { world.metrics().await.contains("failures_total{kind=\"too_large\"} 1") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_shorter_than_it_says_is_not_passed_as_whole() {
    let provider = Provider::saying(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":[",
    )
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let (_, bytes) = broken_stream(&world, &secret).await;
    assert_eq!(bytes, b"{\"choices\":[");
    until("counted", || async { world.metrics().await.contains("failures_total{kind=\"cut\"} 1") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_longer_than_it_says_ends_where_it_says() {
    let provider = Provider::saying(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nx: smuggled\r\n\r\n",
    )
    .await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    for _ in 0..3 {
        let reply = world.client.chat(&secret, "m").await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "{}"));
        assert!(reply.header("x").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_candidate_is_tried_and_only_those_that_were_admitted() {
    let broken = Provider::saying(provider::json("503 Service Unavailable", "{\"error\":\"busy\"}")).await;
    let good = Provider::saying(provider::chat(3, 4)).await;
    let provider = |id: &str, provider: &Provider| {
        format!("[providers.{id}]\ndialect = \"openai\"\nbase_url = \"http://{}/v1\"\n", provider.address)
    };
    let tables = format!(
        "{}{}[[models]]\nid = \"one/m\"\n[[models]]\nid = \"two/m\"\n{SHORT}",
        provider("one", &broken),
        provider("two", &good)
    );
    let world = World::with(&tables).await;
    let both = world.secret("both").await;
    let reply = world.client.chat(&both, "m").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let event = world.event("both", |_| true).await;
    assert_eq!((event.provider.as_deref(), event.tokens_out), (Some("two"), Some(4)));

    let one = world.token("one", |new| new.grant.bindings.providers = Some(vec!["one".to_owned()])).await;
    let seen = good.requests().len();
    let reply = world.client.chat(one.secret.expose(), "m").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "the provider's own answer");
    assert_eq!(good.requests().len(), seen, "nothing goes where it was not admitted");
    let two = world.token("two", |new| new.grant.bindings.providers = Some(vec!["two".to_owned()])).await;
    let tried = broken.requests().len();
    assert_eq!(world.client.chat(two.secret.expose(), "m").await.status, StatusCode::OK);
    assert_eq!(broken.requests().len(), tried);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_the_gateways_key_does_not_send_the_client_to_log_in() {
    let provider =
        Provider::saying(provider::json("401 Unauthorized", "{\"error\":{\"code\":\"invalid_api_key\"}}")).await;
    let world = world(&provider).await;
    let secret = world.secret("app").await;
    let reply = world.client.chat(&secret, "m").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert!(!reply.text().contains("invalid_api_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_pays_what_was_set_aside() {
    let provider = Provider::doing(|mut stream, _| async move {
        let first = [provider::STREAM_HEAD, &provider::chunk("data: 1\n\n")].concat();
        stream.write_all(first.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let tables = format!("{}[timeouts]\ndecision_ms = 20000\n", provider::tables(&provider));
    let world = World::with(&tables).await;
    let token = world.token("leaver", |new| new.allowances = vec!["300tokens/day".parse().unwrap()]).await;
    let bearer = format!("Bearer {}", token.secret.expose());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut body = chat("m");
    body["stream"] = json!(true);
    body["max_tokens"] = json!(150);
    let request = world.client.request(Method::POST, "/v1/chat/completions", &headers, &body.to_string());
    let mut stream = world.client.open(request).await.into_body();
    stream.frame().await.unwrap().unwrap();
    drop(stream);
    let event = world.event("leaver", |_| true).await;
    assert_eq!(event.tokens_out, None);
    let denied = world.client.post("/v1/chat/completions", token.secret.expose(), &body).await;
    assert_eq!((denied.status, denied.code()), (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_sees_its_own_key_and_nothing_of_the_client() {
    let provider = Provider::saying(provider::chat(1, 1).replace(
        "content-type",
        "set-cookie: a=b\r\nopenai-organization: org-secret\r\nx-request-id: theirs\r\ncontent-type",
    ))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "sk-provider-key\n").unwrap();
    let tables = provider::tables(&provider)
        .replace("[[models]]", &format!("key_file = {:?}\n[[models]]", key.display().to_string()));
    let world = World::with(&tables).await;
    let secret = world.secret("app").await;
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-api-key", secret.as_str()),
        ("content-type", "application/json"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-consumer-username", "admin"),
        ("x-custom", "dropped"),
        ("x-stainless-lang", "js"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("accept-encoding", "gzip"),
    ];
    let body = chat("m").to_string();
    let reply = world.client.send(world.client.request(Method::POST, "/v1/chat/completions", &headers, &body)).await;
    assert_eq!(reply.status, StatusCode::OK);
    let seen = &provider.requests()[0];
    assert_eq!(seen.line(), "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some("Bearer sk-provider-key"));
    assert_eq!(seen.header("x-stainless-lang"), Some("js"));
    assert!(
        seen.header("traceparent").is_some_and(|parent| parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
    );
    assert_eq!(seen.body, body, "byte for byte the client's");
    for name in
        ["x-api-key", "cookie", "x-forwarded-for", "x-consumer-username", "x-hop", "accept-encoding", "x-custom"]
    {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert!(!seen.head.contains(&secret));
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(reply.header("openai-organization"), None);
    assert_eq!(reply.header("x-upstream-request-id"), Some("theirs"));
    assert!(reply.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
}
