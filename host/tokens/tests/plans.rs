use cedargate_tokens::{
    Edit, Grant, KnownSecret, NewToken, PROFILE_BYTES_MAX, Rotation, Selector, StoreError, TokenError, Update,
};

use crate::stage::{Stage, later, secret};

fn is_conflict<T>(result: &Result<T, TokenError>) -> bool {
    matches!(result, Err(TokenError::Store(StoreError::Conflict)))
}

fn all() -> NewToken {
    let mut grant = Grant::new("integration", "api_token");
    grant.org_id = Some("acme".to_owned());
    grant.team_id = Some("red".to_owned());
    grant.bindings.gateway_id = Some("gw".to_owned());
    grant.bindings.consumer_group = Some("web".to_owned());
    grant.bindings.models = Some(vec!["gpt-4o".to_owned()]);
    grant.bindings.scopes = Some(vec!["tokens.*".to_owned()]);
    grant.bindings.networks = Some(vec!["10.0.0.0/8".to_owned()]);
    grant.attributes = Some(cedargate::model::Attributes::from_iter([("tier", 3.into())]));
    let mut new = NewToken::new("all", grant);
    new.allowances = vec!["60requests/minute".parse().unwrap()];
    new
}

#[tokio::test]
async fn what_is_planned_is_what_is_stored() {
    let stage = Stage::new().await;
    let at = stage.clock.now();
    let mut new = all();
    new.expires_in = Some("90s".parse().unwrap());
    let draft = stage.tokens.draft(new, at).unwrap();
    let planned = draft.token().clone();
    let expires_at = planned.grant.expires_at.unwrap();
    assert_eq!(expires_at.as_millis() % 1_000, 0, "it is rounded as it is stored");
    assert!(expires_at >= later(at, 90) && expires_at < later(at, 91));
    let stored = stage.tokens.create_drafted(draft).await.unwrap().token;
    assert_eq!((&stored.id, &stored.grant, &stored.allowances), (&planned.id, &planned.grant, &planned.allowances));
    assert_eq!((stored.created_at, stored.secrets[0].created_at), (at, at));

    let edit = Edit { expires_in: Some("2h".parse().unwrap()), team_id: Update::Clear, ..Edit::default() };
    let plan = stage.tokens.plan_edit(stored.clone(), &edit, at);
    let planned = plan.after().clone();
    assert_eq!((plan.before(), planned.grant.team_id.as_deref()), (&stored, None));
    let edited = stage.tokens.carry_out(plan).await.unwrap();
    assert_eq!(edited.grant, planned.grant);
    assert_eq!(stage.tokens.find(&Selector::Id(stored.id.clone())).await.unwrap().grant, planned.grant);
}

#[tokio::test]
async fn a_plan_holds_for_the_token_as_it_was() {
    let stage = Stage::new().await;
    let before = stage.tokens.create(all()).await.unwrap().token;
    let edit = Edit { description: Update::To("now".to_owned()), ..Edit::default() };
    let at = stage.clock.now();
    let tokens = &stage.tokens;
    let plans = [
        tokens.plan_disable(before.clone(), at),
        tokens.plan_revoke(before.clone(), None, at),
        tokens.plan_revoke(before.clone(), Some(1), at),
    ];
    tokens.edit(&Selector::Id(before.id.clone()), &edit).await.unwrap();
    for plan in plans {
        assert!(is_conflict(&tokens.carry_out(plan).await));
    }
    assert!(is_conflict(&tokens.rotate_as_is(before.clone(), &Rotation::default(), at).await));
    let after = tokens.find(&Selector::Id(before.id)).await.unwrap();
    assert!(after.revoked_at.is_none() && after.disabled_at.is_none() && after.secrets.len() == 1);
}

#[tokio::test]
async fn a_plan_criticises_nothing_and_says_what_is_wrong_when_it_is_carried_out() {
    let stage = Stage::new().await;
    let before = stage.tokens.create(all()).await.unwrap().token;
    let (tokens, at) = (&stage.tokens, stage.clock.now());
    let past = Edit { expires_at: Update::To(later(at, -1)), ..Edit::default() };
    let plan = tokens.plan_edit(before.clone(), &past, at);
    assert!(matches!(tokens.check_plan(&plan), Err(TokenError::ExpiryPast { .. })));
    assert!(matches!(tokens.carry_out(plan).await, Err(TokenError::ExpiryPast { .. })));
    let missing = tokens.plan_revoke(before.clone(), Some(9), at);
    assert!(matches!(tokens.carry_out(missing).await, Err(TokenError::NoVersion { version: 9, .. })));
    let mut new = all();
    new.name = String::new();
    let draft = tokens.draft(new, at).unwrap();
    assert_eq!(draft.facts().name, None);
    assert!(matches!(tokens.create_drafted(draft).await, Err(TokenError::Text { .. })));
    let revoked = tokens.revoke(&Selector::Id(before.id), None).await.unwrap();
    let plan = tokens.plan_enable(revoked, at);
    assert!(matches!(tokens.carry_out(plan).await, Err(TokenError::Revoked(_))));
}

#[tokio::test]
async fn a_token_is_told_whole_or_in_small() {
    let stage = Stage::new().await;
    let token = stage.tokens.create(all()).await.unwrap().token;
    let whole = serde_json::to_value(token.facts()).unwrap();
    let bindings = serde_json::json!({
        "gateway_id": "gw", "consumer_group": "web", "models": ["gpt-4o"], "scopes": ["tokens.*"],
        "networks": ["10.0.0.0/8"],
    });
    assert_eq!(whole["bindings"], bindings);
    assert_eq!(whole["budgets"], serde_json::json!([{"unit": "requests", "window": "minute", "limit": 60}]));
    assert_eq!((&whole["id"], &whole["attributes"]["tier"]), (&token.id.as_str().into(), &3.into()));
    let small = serde_json::json!({
        "id": token.id, "name": "all", "purpose": "integration", "principal_type": "api_token", "org_id": "acme",
        "team_id": "red", "bindings": {"gateway_id": "gw", "consumer_group": "web"},
    });
    assert_eq!(serde_json::to_value(token.small_facts()).unwrap(), small);
    let unspent = stage.tokens.create(NewToken::new("app", Grant::general())).await.unwrap().token;
    assert_eq!(unspent.facts().budgets, None, "a token without budgets is not one with none");
    let profile = token.profile(&token.secrets[0]);
    assert_eq!(profile.budgets, token.facts().budgets);
}

#[tokio::test]
async fn a_profile_has_room_in_a_decision() {
    let stage = Stage::new().await;
    let mut large = NewToken::new("large", Grant::general());
    large.grant.bindings.models = Some((0..250).map(|n| format!("openai/{n:0>100}")).collect());
    let is_large = |error: &TokenError| matches!(error, TokenError::ProfileTooLarge { bytes, max } if bytes > max && *max == PROFILE_BYTES_MAX);
    assert!(is_large(&stage.tokens.create(large.clone()).await.unwrap_err()));
    let known = KnownSecret::Secret(secret("gw_sk_an-old-key-of-another-system"));
    assert!(is_large(&stage.tokens.import(large.clone(), &known).await.unwrap_err()));
    let app = stage.tokens.create(NewToken::new("app", Grant::general())).await.unwrap().token;
    let edit = Edit { models: Update::To(large.grant.bindings.models.unwrap()), ..Edit::default() };
    assert!(is_large(&stage.tokens.edit(&Selector::Id(app.id), &edit).await.unwrap_err()));
}
