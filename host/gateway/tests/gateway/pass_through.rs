//! Providers' own keys: off unless they are let through, and then bound by every policy.

use cedargate_tokens::{Grant, KnownSecret, NewToken, Secret, Selector};
use http::StatusCode;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::world::{World, mistyped};

const KEY: &str = "sk-proj-0123456789abcdef0123456789abcdef";

async fn let_through() -> (Provider, World) {
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let tables = provider::tables(&provider).replace("[[models]]", "pass_through = [\"sk-\"]\n[[models]]")
        + "[providers.echo]\ndialect = \"echo\"\npass_through = [\"sk-ant-\"]\n[[models]]\nid = \"echo/e\"\n";
    let world = World::with(&tables).await;
    (provider, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_by_default() {
    let world = World::new().await;
    let reply = world.client.chat(KEY, "gpt-4o").await;
    assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, "token_unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_its_own_provider_and_nowhere_else() {
    let (provider, world) = let_through().await;
    let reply = world.client.chat(KEY, "m").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(provider.requests()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let elsewhere = world.client.chat(KEY, "e").await;
    assert_eq!((elsewhere.status, elsewhere.code()), (StatusCode::FORBIDDEN, "provider_not_allowed"));
    let other = world.client.chat("sk-ant-0123456789", "e").await;
    assert_eq!(other.status, StatusCode::OK, "the longest beginning says whose key it is");
    let listed = world.client.get("/v1/models", KEY).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_name_its_fingerprint() {
    let (_provider, world) = let_through().await;
    world.client.chat(KEY, "m").await;
    crate::world::until("the event is there", || async { !world.events().await.is_empty() }).await;
    let event = world.events().await.remove(0);
    let id = event.token_id.unwrap();
    assert!(id.starts_with("sha256:") && id.len() == 39, "{id}");
    assert_eq!((event.token_name, event.secret_version), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_or_was_the_gateways_own_is_never_passed_through() {
    let (provider, world) = let_through().await;
    let ours = world.secret("ours").await;
    let mistyped = mistyped(&ours);
    assert_eq!(world.client.chat(&mistyped, "m").await.code(), "token_malformed");

    let imported = KnownSecret::Secret(Secret::parse(KEY).unwrap());
    world.tokens.import(NewToken::new("imported", Grant::general()), &imported).await.unwrap();
    assert_eq!(world.client.chat(KEY, "e").await.status, StatusCode::OK, "as the token that it is now");
    world.tokens.revoke(&Selector::Name("imported".to_owned()), None).await.unwrap();
    let ended = world.client.chat(KEY, "m").await;
    assert_eq!((ended.status, ended.code()), (StatusCode::UNAUTHORIZED, "token_revoked"));
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_401_reaches_who_sent_the_key() {
    let provider =
        Provider::saying(provider::json("401 Unauthorized", "{\"error\":{\"code\":\"invalid_api_key\"}}")).await;
    let tables = provider::tables(&provider).replace("[[models]]", "pass_through = [\"sk-\"]\n[[models]]");
    let world = World::with(&tables).await;
    let reply = world.client.post("/v1/chat/completions", KEY, &chat("m")).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, ""));
    assert!(reply.text().contains("invalid_api_key"));
}
