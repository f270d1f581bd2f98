use cedargate_tokens::{
    Choice, Edit, Grant, KnownSecret, Label, NewToken, Selector, Status, TokenError, TokenFilter, Update,
};

use crate::stage::{Stage, later, secret};

fn named(name: &str) -> Selector {
    Selector::Name(name.to_owned())
}

#[tokio::test]
async fn a_new_token_is_accepted_at_once() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    assert_eq!(stage.ask(&secret), "200");
}

#[tokio::test]
async fn a_secret_that_nobody_made_is_unknown_and_a_mistyped_one_is_not_looked_up() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    assert_eq!(stage.ask("sk-somebody-elses-key"), "401 token_unknown");
    let mut mistyped = secret.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    for text in [mistyped.as_str(), "kt_live_", "kt_gk_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6", " ", ""] {
        assert_eq!(stage.ask(text), "401 token_malformed", "{text}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_denied_at_once_and_for_ever() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    assert_eq!(stage.ask(&secret), "200");
    stage.tokens.revoke(&named("app"), None).await.unwrap();
    assert_eq!(stage.ask(&secret), "401 token_revoked");
    assert!(matches!(stage.tokens.enable(&named("app")).await, Err(TokenError::Revoked(_))));
    // Revoking again changes nothing, and is no error: whoever asks wants it ended.
    let again = stage.tokens.revoke(&named("app"), None).await.unwrap();
    assert_eq!(again.status(stage.clock.now()), Status::Revoked);
    let folder = stage.close().await;
    let restarted = Stage::in_folder(folder).await;
    assert_eq!(restarted.ask(&secret), "401 token_revoked");
}

#[tokio::test]
async fn a_disabled_token_is_denied_until_it_is_enabled() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    stage.tokens.disable(&named("app")).await.unwrap();
    assert_eq!(stage.ask(&secret), "401 token_disabled");
    stage.tokens.enable(&named("app")).await.unwrap();
    assert_eq!(stage.ask(&secret), "200");
}

#[tokio::test]
async fn a_token_expires_by_itself_and_works_again_with_more_time() {
    let stage = Stage::new().await;
    let mut new = NewToken::new("app", Grant::general());
    new.expires_in = Some("1h".parse().unwrap());
    let created = stage.tokens.create(new).await.unwrap();
    let secret = created.secret.expose();
    let expires_at = created.token.grant.expires_at.unwrap();
    assert_eq!(stage.ask_at(secret, later(expires_at, -1)), "200");
    assert_eq!(stage.ask_at(secret, expires_at), "401 token_expired");
    let edit = Edit { expires_in: Some("2h".parse().unwrap()), ..Edit::default() };
    stage.tokens.edit(&named("app"), &edit).await.unwrap();
    assert_eq!(stage.ask_at(secret, expires_at), "200");
}

#[tokio::test]
async fn a_changed_scope_is_in_force_at_once() {
    let stage = Stage::new().await;
    let secret = stage.create("app").await;
    let edit = Edit { models: Update::To(vec!["gpt-4o-mini".to_owned()]), ..Edit::default() };
    stage.tokens.edit(&named("app"), &edit).await.unwrap();
    assert_eq!(stage.ask(&secret), "403 model_not_allowed");
    let edit = Edit { models: Update::Clear, ..Edit::default() };
    stage.tokens.edit(&named("app"), &edit).await.unwrap();
    assert_eq!(stage.ask(&secret), "200");
}

#[tokio::test]
async fn not_before_holds_a_token_back() {
    let stage = Stage::new().await;
    let at = stage.clock.now();
    let mut grant = Grant::general();
    grant.not_before = Some(later(at, 3_600));
    let created = stage.tokens.create(NewToken::new("app", grant)).await.unwrap();
    assert_eq!(stage.ask_at(created.secret.expose(), at), "401 token_not_yet_valid");
    assert_eq!(stage.ask_at(created.secret.expose(), later(at, 3_600)), "200");
}

#[tokio::test]
async fn a_name_is_free_again_when_its_token_has_ended() {
    let stage = Stage::new().await;
    let first = stage.create("app").await;
    let again = stage.tokens.create(NewToken::new("app", Grant::general())).await;
    assert!(matches!(again, Err(TokenError::NameInUse(name)) if name == "app"));
    stage.tokens.revoke(&named("app"), None).await.unwrap();
    let second = stage.create("app").await;
    assert_eq!((stage.ask(&first).as_str(), stage.ask(&second).as_str()), ("401 token_revoked", "200"));
    // By name the live one is meant; the old one by its id.
    let live = stage.tokens.find(&named("app")).await.unwrap();
    assert_eq!(live.status(stage.clock.now()), Status::Active);
    stage.tokens.revoke(&named("app"), None).await.unwrap();
    assert!(matches!(stage.tokens.find(&named("app")).await, Err(TokenError::Ambiguous { ids, .. }) if ids.len() == 2));
    assert!(stage.tokens.find(&Selector::Id(live.id)).await.is_ok());
}

#[tokio::test]
async fn an_expired_token_cannot_take_back_a_name_that_another_has() {
    let stage = Stage::new().await;
    let mut new = NewToken::new("app", Grant::general());
    new.expires_in = Some("1s".parse().unwrap());
    let old = stage.tokens.create(new).await.unwrap().token;
    crate::stage::until("the expiry", async || stage.clock.now() >= old.grant.expires_at.unwrap()).await;
    stage.create("app").await;
    let edit = Edit { expires_in: Some("1h".parse().unwrap()), ..Edit::default() };
    let revived = stage.tokens.edit(&Selector::Id(old.id.clone()), &edit).await;
    assert!(matches!(revived, Err(TokenError::NameInUse(_))));
    // What does not revive it may still be changed.
    let edit = Edit { description: Update::To("the old one".to_owned()), ..Edit::default() };
    stage.tokens.edit(&Selector::Id(old.id), &edit).await.unwrap();
}

#[tokio::test]
async fn a_key_of_another_system_goes_on_to_work_and_stays_known_when_it_has_ended() {
    let stage = Stage::new().await;
    let text = "gw_sk_an-old-key-of-another-system";
    let hash = secret(text).hash();
    let imported = KnownSecret::Hash(hash);
    stage.tokens.import(NewToken::new("old", Grant::general()), &imported).await.unwrap();
    assert_eq!(stage.ask(text), "200");
    stage.tokens.revoke(&named("old"), None).await.unwrap();
    // Not unknown: an unknown key might be passed through to a provider.
    assert_eq!(stage.ask(text), "401 token_revoked");
    let again = stage.tokens.import(NewToken::new("again", Grant::general()), &imported).await;
    assert!(matches!(again, Err(TokenError::SecretKnown)));
}

#[tokio::test]
async fn keys_are_compared_whole_and_are_never_part_of_a_statement() {
    let stage = Stage::new().await;
    let long = format!("sk-{}", "a".repeat(200));
    let known = KnownSecret::Secret(secret(&format!("{long}1")));
    stage.tokens.import(NewToken::new("old", Grant::general()), &known).await.unwrap();
    assert_eq!(stage.ask(&format!("{long}1")), "200");
    // Two keys that begin alike are two keys.
    for other in [long.clone(), format!("{long}2"), format!("{long}11")] {
        assert_eq!(stage.ask(&other), "401 token_unknown");
    }
    for injected in ["'/**/OR/**/1=1--", "\"/**/OR/**/1=1", "x';DROP/**/TABLE/**/tokens;--"] {
        assert_eq!(stage.ask(injected), "401 token_unknown", "{injected}");
    }
    for name in ["' OR 1=1 --", "x'; DROP TABLE tokens; --", "%", "*"] {
        assert!(matches!(stage.tokens.find(&named(name)).await, Err(TokenError::NotFound(_))), "{name}");
        let mut filter = TokenFilter::default();
        filter.add(&format!("team={name}")).unwrap();
        assert_eq!(stage.tokens.matching(&filter, 10).await.unwrap().len(), 0, "{name}");
        // As a name it is a name.
        stage.create(name).await;
    }
    assert_eq!(stage.tokens.matching(&TokenFilter::default(), 10).await.unwrap().len(), 5);
}

#[tokio::test]
async fn many_are_revoked_together_or_not_at_all() {
    let stage = Stage::new().await;
    for name in ["ci-1", "ci-2", "app"] {
        stage.create(name).await;
    }
    let names = |names: &[&str]| Choice::Named(names.iter().map(|name| named(name)).collect());
    let wrong = stage.tokens.revoke_many(&names(&["ci-1", "nobody"]), false).await;
    assert!(matches!(wrong, Err(TokenError::NotFound(_))));
    let mut filter = TokenFilter::default();
    filter.add("name=ci-*").unwrap();
    let choice = Choice::Matching(filter.clone());
    let status = async |name: &str| stage.tokens.find(&named(name)).await.unwrap().status(stage.clock.now());
    assert_eq!(stage.tokens.revoke_many(&choice, true).await.unwrap().len(), 2);
    assert_eq!(status("ci-1").await, Status::Active, "a dry run changes nothing");
    assert_eq!(stage.tokens.revoke_many(&choice, false).await.unwrap().len(), 2);
    assert_eq!((status("ci-1").await, status("ci-2").await), (Status::Revoked, Status::Revoked));
    assert_eq!(status("app").await, Status::Active);
    assert_eq!(stage.tokens.revoke_many(&choice, false).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_label_shows_in_the_prefix_and_decides_nothing() {
    let stage = Stage::new().await;
    for (label, env, prefix) in [
        (None, "live", "kt_live_"),
        (Some(Label::Access), "prod", "kt_ak_prod_"),
        (Some(Label::Gateway), "live", "kt_gk_live_"),
    ] {
        let mut new = NewToken::new(prefix, Grant::general());
        new.label = label;
        new.env = env.parse().unwrap();
        let created = stage.tokens.create(new).await.unwrap();
        assert!(created.secret.expose().starts_with(prefix));
        assert_eq!(stage.ask(created.secret.expose()), "200");
    }
    let gateways = TokenFilter { label: Some(Label::Gateway), ..TokenFilter::default() };
    assert_eq!(stage.tokens.matching(&gateways, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let edits = (0..8).map(|n| {
        let tokens = stage.tokens.clone();
        tokio::spawn(async move {
            let edit = match n % 2 {
                0 => Edit { team_id: Update::To("frontend".to_owned()), ..Edit::default() },
                _ => Edit { description: Update::To("an app".to_owned()), ..Edit::default() },
            };
            tokens.edit(&Selector::Name("app".to_owned()), &edit).await
        })
    });
    for edit in edits.collect::<Vec<_>>() {
        edit.await.unwrap().unwrap();
    }
    let token = stage.tokens.find(&named("app")).await.unwrap();
    assert_eq!((token.grant.team_id.as_deref(), token.description.as_deref()), (Some("frontend"), Some("an app")));
}
