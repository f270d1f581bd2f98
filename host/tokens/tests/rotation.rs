use std::sync::Arc;
use std::time::Duration;

use cedargate::model::Timestamp;
use cedargate_tokens::{
    Event, Recorder, RecorderOptions, Rotated, Rotation, SECRETS_LIVE_MAX, Selector, Status, TokenError, Verdict,
};

use crate::stage::{Stage, later, until};

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

/// Asks again until the answer of the first call may be taken for lost.
async fn asked_again(stage: &Stage, rotation: &Rotation) -> Rotated {
    let mut made = None;
    until("the time to ask again", async || match stage.tokens.rotate(&app(), rotation).await {
        Ok(rotated) => made.insert(rotated).replaced.is_some(),
        Err(TokenError::RotationUnderWay { .. }) => false,
        Err(error) => panic!("{error}"),
    })
    .await;
    made.unwrap()
}

#[tokio::test]
async fn a_lost_answer_is_repaired_by_asking_again() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let first = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await.unwrap();
    // Another grace period in the second call changes nothing: it counts from the first.
    let second = asked_again(&stage, &rotation("24h", Some("deploy-17"))).await;
    assert_eq!((second.replaced, second.grace_until), (Some(first.version), first.grace_until));
    assert_eq!(stage.ask(first.secret.expose()), "401 token_revoked");
    assert_eq!((stage.ask(&old).as_str(), stage.ask(second.secret.expose()).as_str()), ("200", "200"));
    assert_eq!(stage.ask_at(&old, first.grace_until.unwrap()), "401 token_expired");
    // Any number of repetitions leaves as many live secrets as one rotation.
    assert_eq!(second.token.live_secrets(stage.clock.now()).count(), 2);
}

#[tokio::test]
async fn asking_again_at_once_changes_nothing() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let first = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await.unwrap();
    let before = stage.tokens.find(&app()).await.unwrap();
    let again = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await;
    assert!(matches!(again, Err(TokenError::RotationUnderWay { version: 2, .. })), "{again:?}");
    assert_eq!(stage.tokens.find(&app()).await.unwrap(), before);
    assert_eq!(stage.ask(first.secret.expose()), "200");
}

#[tokio::test]
async fn a_secret_that_is_in_use_is_not_replaced() {
    for verdict in [Verdict::Allow, Verdict::Deny] {
        let stage = Stage::new().await;
        stage.create("app").await;
        let first = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await.unwrap();
        let write_every = Duration::from_secs(3_600);
        let recorder =
            Recorder::start(Arc::clone(&stage.store), RecorderOptions { write_every, ..RecorderOptions::default() });
        let used_at = stage.clock.now();
        if verdict == Verdict::Allow {
            // The reply may take as long as it likes: its request is known before.
            recorder.note_use(&first.token.id.as_str().into(), first.version, used_at);
            // Nobody has to ask for it to be written, and it does not wait for the next batch.
            until("the use is written", async || {
                stage.tokens.find(&app()).await.unwrap().secrets[1].last_used_at.is_some()
            })
            .await;
        } else {
            let mut event = Event::new("req_1", used_at, "chat.completions", verdict);
            event.token_id = Some(first.token.id.as_str().into());
            event.secret_version = Some(first.version);
            recorder.record(event);
        }
        recorder.flush().await.unwrap();
        let before = stage.tokens.find(&app()).await.unwrap();
        let (used, refused) = (before.secrets[1].last_used_at, before.secrets[1].last_refused_at);
        let expected = if verdict == Verdict::Allow { (Some(used_at), None) } else { (None, Some(used_at)) };
        assert_eq!((used, refused), expected);
        assert_eq!((before.last_used_at, before.last_refused_at), expected);
        let again = stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-17"))).await;
        assert!(matches!(again, Err(TokenError::RotatedSecretUsed { version: 2, .. })), "{again:?}");
        assert_eq!(stage.tokens.find(&app()).await.unwrap(), before);
        assert_eq!(stage.ask(first.secret.expose()), "200");
        // A new key is a new rotation.
        assert_eq!(stage.tokens.rotate(&app(), &rotation("1h", Some("deploy-18"))).await.unwrap().version, 3);
        let usage = stage.store.usage(&first.token.id, Timestamp::from_millis(0)).await.unwrap();
        let counted = usage.iter().map(|(_, count)| count.requests).sum::<u64>();
        assert_eq!(counted, u64::from(verdict == Verdict::Deny), "what is only noted is not counted: {usage:?}");
    }
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
async fn of_rotations_at_the_same_time_with_one_key_one_makes_a_secret() {
    let stage = Stage::new().await;
    let old = stage.create("app").await;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let tokens = stage.tokens.clone();
            tokio::spawn(async move { tokens.rotate(&app(), &rotation("24h", Some("once"))).await })
        })
        .collect();
    let mut made = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(rotated) => made.push(rotated.secret),
            Err(error) => assert!(matches!(error, TokenError::RotationUnderWay { version: 2, .. }), "{error}"),
        }
    }
    assert_eq!((made.len(), stage.ask(made[0].expose()).as_str(), stage.ask(&old).as_str()), (1, "200", "200"));
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
