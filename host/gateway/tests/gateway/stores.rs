//! A store that cannot be reached, and two gateways on one store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cedargate_tokens::{Selector, SqliteOptions, SqliteStore};
use http::StatusCode;

use crate::failing_store::FailingStore;
use crate::world::{World, config, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_503_and_never_401_and_no_budget_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let (store, away) = FailingStore::new(store);
    let world = World::on(Arc::new(store), folder, config(""), |_| {}).await;
    let capped = world.token("capped", |new| new.allowances = vec!["2requests/day".parse().unwrap()]).await;
    let capped = capped.secret.expose();
    let gone = world.secret("gone").await;
    world.tokens.revoke(&Selector::Name("gone".to_owned()), None).await.unwrap();
    assert_eq!(world.client.chat(capped, "gpt-4o").await.status, StatusCode::OK);

    away.store(true, Ordering::Relaxed);
    until("requests are refused", || async {
        world.client.get("/v1/models", capped).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    for secret in [capped, gone.as_str(), "gw_sk_nobody_knows_0123456789"] {
        let reply = world.client.chat(secret, "gpt-4o").await;
        assert_eq!((reply.status, reply.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"));
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(world.admin.get("/readyz", "-").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.admin.get("/healthz", "-").await.status, StatusCode::OK, "a restart would not help");

    away.store(false, Ordering::Relaxed);
    until("requests are answered", || async { world.client.get("/v1/models", capped).await.status == StatusCode::OK })
        .await;
    assert_eq!(world.client.chat(&gone, "gpt-4o").await.code(), "token_revoked");
    assert_eq!(world.client.chat(capped, "gpt-4o").await.status, StatusCode::OK);
    assert_eq!(world.client.chat(capped, "gpt-4o").await.code(), "insufficient_quota");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_at_one_gateway_is_revoked_at_all_of_its_store() {
    let one = World::new().await;
    let secret = one.secret("everywhere").await;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(one.path("store.db"), SqliteOptions::default()).await.unwrap();
    let two = World::on(Arc::new(store), folder, config(""), |_| {}).await;
    assert_eq!(two.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK);
    one.tokens.revoke(&Selector::Name("everywhere".to_owned()), None).await.unwrap();
    assert_eq!(one.client.chat(&secret, "gpt-4o").await.code(), "token_revoked");
    until("the other gateway knows", || async { two.client.chat(&secret, "gpt-4o").await.code() == "token_revoked" })
        .await;
}
