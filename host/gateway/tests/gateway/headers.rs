//! What of a client's headers, query and body reaches a provider: nothing that holds a token, nothing that says who pays
//! or where a router sends the request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Method, StatusCode};
use serde_json::json;

use crate::client::{Reply, chat};
use crate::provider::{self, Provider};
use crate::world::World;

async fn send(world: &World, secret: &str, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
    let bearer = format!("Bearer {secret}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    headers.extend_from_slice(more);
    world.client.send(world.client.request(Method::POST, path, &headers, body)).await
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reaches_no_provider_in_any_header() {
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let tables = provider::tables(&provider).replace("[[models]]", "allow_headers = [\"x-mine-*\"]\n[[models]]");
    let world = World::with(&tables).await;
    let secret = world.secret("app").await;
    let other = world.secret("other").await;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("user:{secret}")));
    let percent = secret.replace('_', "%5F");
    let cookie = format!("session={secret}");
    let several = format!("a, {secret}");
    let values = [secret.as_str(), &other, &basic, &percent, &cookie, &several];
    for name in ["apikey", "x-token", "token", "x-mine-token", "user-agent", "x-stainless-key", "x-auth", "cookie"] {
        for value in values {
            let reply = send(&world, &secret, CHAT, &[(name, value)], &chat("m").to_string()).await;
            assert_eq!(reply.status, StatusCode::OK, "{name}");
        }
    }
    for seen in provider.requests() {
        assert!(values.iter().all(|value| !seen.head.contains(value)), "{}", seen.head);
    }
    for query in [format!("x={secret}"), format!("x={percent}"), format!("x=a,{other}")] {
        let reply = send(&world, &secret, &format!("{CHAT}?{query}"), &[], &chat("m").to_string()).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, "token_malformed"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_pass_by_a_list() {
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let known = [
        ("accept", "*/*"),
        ("user-agent", "OpenAI/Python 1.99.0"),
        ("openai-beta", "responses=v1"),
        ("idempotency-key", "k-1"),
        ("x-stainless-retry-count", "0"),
    ];
    let billing = [
        ("openai-organization", "org-other"),
        ("openai-project", "proj-other"),
        ("x-goog-user-project", "other"),
        ("helicone-target-url", "http://127.0.0.1:1"),
        ("x-portkey-provider", "other"),
        ("cf-aig-custom-cost", "0"),
        ("x-litellm-tags", "other"),
        ("x-ms-oai-image-generation-deployment", "other"),
        ("x-anything", "1"),
    ];
    for (tables, passes) in [
        (provider::tables(&provider), None),
        (
            provider::tables(&provider).replace("[[models]]", "allow_headers = [\"openai-project\"]\n[[models]]"),
            Some("openai-project"),
        ),
    ] {
        let world = World::with(&tables).await;
        let secret = world.secret("app").await;
        let headers: Vec<_> = known.into_iter().chain(billing).collect();
        assert_eq!(send(&world, &secret, CHAT, &headers, &chat("m").to_string()).await.status, StatusCode::OK);
        let seen = provider.requests().pop().unwrap();
        for (name, value) in known {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        for (name, value) in billing {
            assert_eq!(seen.header(name), Some(value).filter(|_| passes == Some(name)), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_says_neither_who_pays_nor_where_it_goes() {
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let plain = World::with(&provider::tables(&provider)).await;
    let secret = plain.secret("app").await;
    let with = |field: &str| {
        let mut body = chat("m");
        body[field] = json!({"model": "o1"});
        body.to_string()
    };
    for field in
        ["extra_body", "extraBody", "organization", "project", "service_tier", "api_base", "models", "provider"]
    {
        let reply = send(&plain, &secret, CHAT, &[], &with(field)).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::BAD_REQUEST, "request_invalid"), "{field}");
        let error = &reply.json()["error"];
        let named = error["param"].as_str().unwrap();
        assert_eq!(named.replace('_', ""), field.replace('_', "").to_lowercase());
        assert!(error["message"].as_str().unwrap().contains(&format!("`{named}`")), "{error}");
    }
    for query in ["organization=o", "$userProject=p", "service_tier=priority", "apiBase=x"] {
        let reply = send(&plain, &secret, &format!("{CHAT}?{query}"), &[], &chat("m").to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert!(provider.requests().is_empty());
    assert_eq!(send(&plain, &secret, CHAT, &[], &with("metadata")).await.status, StatusCode::OK);

    let tables =
        provider::tables(&provider).replace("[[models]]", "allow_body_fields = [\"service_tier\"]\n[[models]]");
    let world = World::with(&tables).await;
    let secret = world.secret("app").await;
    let body = with("service_tier");
    assert_eq!(send(&world, &secret, CHAT, &[], &body).await.status, StatusCode::OK);
    assert_eq!(provider.requests().pop().unwrap().body, body, "byte for byte the client's");
    assert_eq!(send(&world, &secret, CHAT, &[], &with("extra_body")).await.status, StatusCode::BAD_REQUEST);
}
