//! A store that cannot be reached, and two gateways on one store.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cedargate_tokens::{
    Directory, DirectoryOptions, Lookup, Prefix, Secret, SecretHash, Selector, SqliteOptions, SqliteStore,
};
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

/// Questions that may have been put to the store since then: 20 in any second.
fn questions_max(since: Instant, a_second: u64) -> u64 {
    a_second * (since.elapsed().as_secs() + 1)
}

fn asked(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_guesses_cost_the_store_twenty_questions_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let (store, _) = FailingStore::new(store);
    let count = store.asked();
    let directory = Directory::<()>::start(Arc::new(store), DirectoryOptions::default()).await.unwrap();
    let begun = Instant::now();
    for n in 0..100_000_u32 {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        let peer = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + n));
        let answer = directory.look_again(&SecretHash::from_bytes(bytes), peer).await;
        assert!(matches!(answer, Lookup::Unknown), "{n}: {answer:?}");
    }
    assert!((5..=questions_max(begun, 20)).contains(&asked(&count)), "{} questions", asked(&count));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_guesses_at_the_gateway_is_told_no_each_time_and_costs_five_questions_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let (store, away) = FailingStore::new(store);
    let count = store.asked();
    let world = World::on(Arc::new(store), folder, config(""), |_| {}).await;
    let begun = Instant::now();
    for n in 0..300 {
        let guess = match n % 2 {
            0 => Secret::generate(&Prefix::default()).unwrap().expose().to_owned(),
            _ => format!("gw_sk_guess_number_{n}"),
        };
        let reply = world.client.chat(&guess, "gpt-4o").await;
        assert_eq!((reply.status, reply.code()), (StatusCode::UNAUTHORIZED, "token_unknown"));
        // What is not whole is nobody's, whatever the store holds.
        let broken = world.client.chat(&format!("kt_live_{n}"), "gpt-4o").await;
        assert_eq!((broken.status, broken.code()), (StatusCode::UNAUTHORIZED, "token_malformed"));
    }
    assert!((1..=questions_max(begun, 5)).contains(&asked(&count)), "{} questions", asked(&count));

    // A store that cannot be read knows nobody, and says so.
    away.store(true, Ordering::Relaxed);
    until("the store is asked again", || async {
        let guess = Secret::generate(&Prefix::default()).unwrap();
        let reply = world.client.chat(guess.expose(), "gpt-4o").await;
        reply.status == StatusCode::SERVICE_UNAVAILABLE && reply.code() == "store_unavailable"
    })
    .await;
}
