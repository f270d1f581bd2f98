//! Budgets and rates, whatever runs at the same time.

use std::sync::Arc;

use cedargate_tokens::Allowance;
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::client::chat;
use crate::provider::{self, Provider};
use crate::world::{World, until};

fn allowance(text: &str) -> Allowance {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_at_once_never_pass_the_cap() {
    let world = Arc::new(World::new().await);
    let token = world.token("capped", |new| new.allowances = vec![allowance("37requests/day")]).await;
    let secret = Arc::new(token.secret.expose().to_owned());
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (world, secret) = (Arc::clone(&world), Arc::clone(&secret));
            tokio::spawn(async move { world.client.chat(&secret, "gpt-4o").await })
        })
        .collect();
    let (mut admitted, mut denied) = (0, 0);
    for task in tasks {
        let reply = task.await.unwrap();
        match reply.status {
            StatusCode::OK => admitted += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                denied += 1;
                assert_eq!((reply.code(), reply.header("x-should-retry")), ("insufficient_quota", Some("false")));
            }
            other => panic!("{other}: {}", reply.text()),
        }
    }
    // A request that will be denied sets something aside for a moment, so that another may be denied beside it: never
    // more than the cap, and what is left can be used afterwards.
    assert!(admitted <= 37, "{admitted} were admitted");
    assert_eq!(admitted + denied, 1_000);
    while admitted < 37 {
        assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::OK, "after {admitted}");
        admitted += 1;
    }
    assert_eq!(world.client.chat(&secret, "gpt-4o").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_says_when_to_try_again() {
    let world = World::new().await;
    let token = world.token("slow", |new| new.allowances = vec![allowance("2requests/hour")]).await;
    let secret = token.secret.expose();
    for _ in 0..2 {
        assert_eq!(world.client.chat(secret, "gpt-4o").await.status, StatusCode::OK);
    }
    let denied = world.client.chat(secret, "gpt-4o").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert!(denied.header("retry-after").is_some_and(|after| after.parse::<u64>().unwrap() <= 3_600));
    assert_eq!(denied.header("x-should-retry"), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_money_are_settled_from_what_the_provider_says() {
    let provider = Provider::saying(provider::chat(100, 50)).await;
    let world = World::with(&provider::tables(&provider)).await;
    // The request may cost its bytes and 10 tokens; it costs 150 tokens and 100 * 1 + 50 * 2 millionths of a dollar.
    let tokens = world.token("tokens", |new| new.allowances = vec![allowance("500tokens/day")]).await;
    let money = world.token("money", |new| new.allowances = vec![allowance("0.0007usd/day")]).await;
    for (token, fits) in [(&tokens, 3), (&money, 3)] {
        for n in 0..fits {
            let reply = world.client.chat(token.secret.expose(), "m").await;
            assert_eq!(reply.status, StatusCode::OK, "{} {n}: {}", token.token.name, reply.text());
            let name = token.token.name.clone();
            until("settled", || async {
                world.events().await.iter().filter(|event| event.token_name.as_deref() == Some(name.as_str())).count()
                    == n + 1
            })
            .await;
        }
        let reply = world.client.chat(token.secret.expose(), "m").await;
        assert_eq!((reply.status, reply.code()), (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"));
    }
    let event = world.event("money", |event| event.status == 200).await;
    assert_eq!((event.tokens_in, event.tokens_out, event.cost_nanos), (Some(100), Some(50), Some(200_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_counted_though_nobody_asked_and_the_client_sees_no_count() {
    let provider = Provider::doing(|mut stream, _| async move {
        let reply = [
            provider::STREAM_HEAD.to_owned(),
            provider::chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n"),
            provider::chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"),
            provider::chunk("data: [DONE]\n\n"),
            "0\r\n\r\n".to_owned(),
        ];
        stream.write_all(reply.concat().as_bytes()).await.unwrap();
    })
    .await;
    let world = World::with(&provider::tables(&provider)).await;
    let token = world.token("counted", |new| new.allowances = vec![allowance("100000tokens/day")]).await;
    let mut body = chat("m");
    body["stream"] = json!(true);
    let reply = world.client.post("/v1/chat/completions", token.secret.expose(), &body).await;
    assert!(reply.text().contains("hi") && reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    assert!(!reply.text().contains("prompt_tokens"), "{}", reply.text());
    assert!(provider.requests()[0].body.contains("\"include_usage\":true"));
    let event = world.event("counted", |event| event.tokens_out.is_some()).await;
    assert_eq!((event.tokens_in, event.tokens_out), (Some(7), Some(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_spends_together_and_a_rotation_changes_nothing() {
    let world = World::with("[teams.red]\nbudgets = [\"3requests/day\"]\n").await;
    let red = |new: &mut cedargate_tokens::NewToken| new.grant.team_id = Some("red".to_owned());
    let (one, two) = (world.token("one", red).await, world.token("two", red).await);
    let selector = cedargate_tokens::Selector::Name("one".to_owned());
    assert_eq!(world.client.chat(one.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
    assert_eq!(world.client.chat(two.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
    let rotated = world.tokens.rotate(&selector, &cedargate_tokens::Rotation::default()).await.unwrap();
    assert_eq!(world.client.chat(rotated.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
    let denied = world.client.chat(two.secret.expose(), "gpt-4o").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_is_known_after_a_restart() {
    let world = World::new().await;
    let token = world.token("kept", |new| new.allowances = vec![allowance("2requests/month")]).await;
    for _ in 0..2 {
        assert_eq!(world.client.chat(token.secret.expose(), "gpt-4o").await.status, StatusCode::OK);
    }
    let World { running, store, folder, .. } = world;
    running.shutdown().await;
    let world = World::on(store, folder, crate::world::config(""), |_| {}).await;
    let denied = world.client.chat(token.secret.expose(), "gpt-4o").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_fits_no_budget_of_money() {
    let provider = Provider::saying(provider::chat(1, 1)).await;
    let tables = provider::tables(&provider).replace("price = { input = 1.0, output = 2.0 }", "");
    let world = World::with(&tables).await;
    let token = world.token("money", |new| new.allowances = vec![allowance("1000usd/day")]).await;
    let denied = world.client.chat(token.secret.expose(), "m").await;
    assert_eq!((denied.status, denied.code()), (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"));
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_requests_and_lists_spend_nothing() {
    let world = World::new().await;
    let token = world
        .token("scoped", |new| {
            new.allowances = vec![allowance("1requests/day")];
            new.grant.bindings.models = Some(vec!["gpt-4o".to_owned()]);
        })
        .await;
    let secret = token.secret.expose();
    for _ in 0..3 {
        assert_eq!(world.client.chat(secret, "o3").await.status, StatusCode::FORBIDDEN);
        assert_eq!(world.client.get("/v1/models", secret).await.status, StatusCode::OK);
    }
    assert_eq!(world.client.chat(secret, "gpt-4o").await.status, StatusCode::OK);
}
