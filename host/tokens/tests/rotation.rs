use cedargate_tokens::{Rotation, SECRETS_LIVE_MAX, Selector, Status, TokenError};

use crate::stage::{Stage, later};

fn app() -> Selector {
    Selector::Name("app".to_owned())
}

fn rotation(grace: &str, key: Option<&str>) -> Rotation {
    Rotation { grace: grace.parse().unwrap(), idempotency_key: key.map(str::to_owned) }
}

#[tokio::test]
async fn both_secrets_are_accepted_until_the_grace_ends() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let before = stage.tokens.find(&app()).await.unwrap();
    let rotated = stage.tokens.rotate(&app(), &rotation("24h", None)).await.unwrap();
    let new = rotated.secret.expose();
    let ends = rotated.grace_until.unwrap();
    assert_eq!((before.id, before.name), (rotated.token.id, rotated.token.name), "the same token");
    assert_eq!((stage.ask(&old).as_str(), stage.ask(new).as_str()), ("200", "200"));
    assert_eq!(stage.ask_at(&old, later(ends, -1)), "200");
    assert_eq!(stage.ask_at(&old, ends), "401 token_expired");
    assert_eq!(stage.ask_at(new, later(ends, 365 * 86_400)), "200");
}

#[tokio::test]
async fn both_secrets_are_accepted_after_a_restart() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let rotated = stage.tokens.rotate(&app(), &Rotation::default()).await.unwrap();
    let stage = Stage::in_folder(stage.close().await).await;
    assert_eq!((stage.ask(&old).as_str(), stage.ask(rotated.secret.expose()).as_str()), ("200", "200"));
    assert_eq!(stage.ask_at(&old, rotated.grace_until.unwrap()), "401 token_expired");
}

#[tokio::test]
async fn without_grace_the_old_secret_ends_at_once() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let rotated = stage.tokens.rotate(&app(), &rotation("0", None)).await.unwrap();
    assert_eq!((stage.ask(&old).as_str(), stage.ask(rotated.secret.expose()).as_str()), ("401 token_expired", "200"));
}

#[tokio::test]
async fn at_most_three_secrets_are_live() {
    let stage = Stage::new().await;
    stage.create("app").await;
    for _ in 1..SECRETS_LIVE_MAX {
        stage.tokens.rotate(&app(), &rotation("24h", None)).await.unwrap();
    }
    let one_more = stage.tokens.rotate(&app(), &rotation("24h", None)).await;
    assert!(matches!(one_more, Err(TokenError::TooManySecrets { oldest: 1, .. })));
    stage.tokens.revoke(&app(), Some(1)).await.unwrap();
    let rotated = stage.tokens.rotate(&app(), &rotation("24h", None)).await.unwrap();
    assert_eq!(rotated.version, 4);
    // Without grace, the one that goes makes room for the one that comes.
    stage.tokens.rotate(&app(), &rotation("0", None)).await.unwrap();
}

#[tokio::test]
async fn one_secret_is_revoked_and_the_other_goes_on() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let new = stage.tokens.rotate(&app(), &Rotation::default()).await.unwrap();
    let token = stage.tokens.revoke(&app(), Some(1)).await.unwrap();
    assert_eq!(token.status(stage.clock.now()), Status::Active);
    assert_eq!((stage.ask(&old).as_str(), stage.ask(new.secret.expose()).as_str()), ("401 token_revoked", "200"));
    assert!(matches!(stage.tokens.revoke(&app(), Some(7)).await, Err(TokenError::NoVersion { version: 7, .. })));
}

#[tokio::test]
async fn a_lost_answer_is_repaired_by_asking_again() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let first = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await.unwrap();
    // Another grace period in the second call changes nothing: it counts from the first.
    let second = stage.tokens.rotate(&app(), &rotation("24h", Some("deploy-17"))).await.unwrap();
    assert_eq!((second.replaced, second.grace_until), (Some(first.version), first.grace_until));
    assert_eq!(stage.ask(first.secret.expose()), "401 token_revoked");
    assert_eq!((stage.ask(&old).as_str(), stage.ask(second.secret.expose()).as_str()), ("200", "200"));
    assert_eq!(stage.ask_at(&old, first.grace_until.unwrap()), "401 token_expired");
    let third = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await.unwrap();
    assert_eq!(third.replaced, Some(second.version));
    // Any number of repetitions leaves as many live secrets as one rotation.
    assert_eq!(third.token.live_secrets(stage.clock.now()).count(), 2);
}

#[tokio::test]
async fn the_key_of_a_rotation_that_is_over_is_not_used_again() {
    let stage = Stage::new().await;
    stage.create("app").await;
    stage.tokens.rotate(&app(), &rotation("0", Some("deploy-17"))).await.unwrap();
    stage.tokens.rotate(&app(), &rotation("0", Some("deploy-18"))).await.unwrap();
    let again = stage.tokens.rotate(&app(), &rotation("0", Some("deploy-17"))).await;
    assert!(matches!(again, Err(TokenError::RotationKeyUsed { .. })));
}

#[tokio::test]
async fn rotations_at_the_same_time_with_one_key_leave_one_new_secret() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let tokens = stage.tokens.clone();
            tokio::spawn(async move { tokens.rotate(&app(), &rotation("24h", Some("once"))).await })
        })
        .collect();
    let mut made = Vec::new();
    for call in calls {
        made.push(call.await.unwrap().unwrap().secret);
    }
    let accepted = made.iter().filter(|secret| stage.ask(secret.expose()) == "200").count();
    assert_eq!((accepted, stage.ask(&old).as_str()), (1, "200"));
}

#[tokio::test]
async fn a_new_secret_begins_as_the_old_one() {
    let stage = Stage::new().await;
    let mut new = cedargate_tokens::NewToken::new("app", cedargate_tokens::Grant::general());
    new.label = Some(cedargate_tokens::Label::Access);
    new.env = "prod".parse().unwrap();
    stage.tokens.create(new).await.unwrap();
    let rotated = stage.tokens.rotate(&app(), &Rotation::default()).await.unwrap();
    assert!(rotated.secret.expose().starts_with("kt_ak_prod_"));
}
