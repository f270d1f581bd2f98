use std::sync::Arc;

use cedargate::model::Timestamp;
use cedargate_tokens::{Catalogue, Edit, Grant, NewToken, Prefix, Rotation, Rules, Secret, Selector, TokenError};

use crate::stage::{Stage, later};

async fn refused(stage: &Stage, new: NewToken) -> String {
    stage.tokens.create(new).await.unwrap_err().to_string()
}

fn app(grant: Grant) -> NewToken {
    NewToken::new("app", grant)
}

#[tokio::test]
async fn every_mistake_is_told_with_a_cure() {
    let mut stage = Stage::new().await;
    let rules = Rules {
        expiry_max: Some("90d".parse().unwrap()),
        catalogue: Some(Arc::new(Catalogue::new([("openai", "gpt-4o")], ["small"]))),
        profile_check: Some(Arc::new(|profile| match profile.bindings.networks {
            Some(_) => Err("`networks` holds none".to_owned()),
            None => Ok(()),
        })),
    };
    stage.tokens = stage.tokens.clone().under(rules);
    let pasted = Secret::generate(&Prefix::default()).unwrap();
    let hidden = &pasted.expose()[pasted.public_part().len()..];
    let past: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let soon = later(stage.clock.now(), 3_600);
    let until = |expires_at| Grant { expires_at: Some(expires_at), ..Grant::general() };
    let bound = |change: fn(&mut Grant)| {
        let mut grant = Grant { expires_at: Some(soon), ..Grant::general() };
        change(&mut grant);
        app(grant)
    };
    for (new, told) in [
        (app(until(past)), "has passed"),
        (app(until(later(soon, 91 * 86_400))), "`--expires-in 90d` or less"),
        (app(Grant::general()), "`--expires-in 90d` or less"),
        (bound(|grant| grant.not_before = grant.expires_at), "put the expiry later"),
        (bound(|grant| grant.purpose = "gateway_runtime".to_owned()), "is not a profile of a token"),
        (bound(|grant| grant.bindings.models = Some(vec!["gpt4o".to_owned()])), "did you mean `gpt-4o`?"),
        (bound(|grant| grant.bindings.providers = Some(vec!["openal".to_owned()])), "did you mean `openai`?"),
        (bound(|grant| grant.bindings.networks = Some(Vec::new())), "the policies cannot use this token"),
        (
            app(Grant { expires_at: Some(soon), ..Grant::new("gateway_runtime", "gateway_runtime") }),
            "name it with `--gateway-id`",
        ),
        (NewToken::new("", until(soon)), "it is empty"),
        (NewToken::new("a\nteam:admin PASS", until(soon)), "characters that cannot be seen"),
        (NewToken::new("a".repeat(257), until(soon)), "longer than 256 bytes"),
        (NewToken::new(format!("the key {}", pasted.expose()), until(soon)), "it holds a key"),
        (
            NewToken {
                allowances: vec!["1usd/month".parse().unwrap(), "2usd/month".parse().unwrap()],
                ..app(until(soon))
            },
            "`1usd/month` and `2usd/month` are two budgets",
        ),
        (NewToken { expires_in: Some("0d".parse().unwrap()), ..app(Grant::general()) }, "has passed"),
    ] {
        let text = refused(&stage, new).await;
        assert!(text.contains(told), "`{text}` does not say `{told}`");
        assert!(!text.contains('\n'), "{text}");
        assert!(!text.contains(hidden), "{text}");
    }
    stage.tokens.create(app(until(soon))).await.unwrap();
    assert!(refused(&stage, app(until(soon))).await.contains("a live token has the name `app`"));
    let not_found = stage.tokens.find(&Selector::Name(pasted.expose().to_owned())).await.unwrap_err().to_string();
    assert!(not_found.contains(pasted.public_part()) && !not_found.contains(&hidden[..8]), "{not_found}");
}

#[tokio::test]
async fn what_was_allowed_once_does_not_stand_in_the_way_of_other_changes() {
    let mut stage = Stage::new().await;
    stage.create("app").await;
    stage.tokens = stage.tokens.clone().under(Rules { expiry_max: Some("1h".parse().unwrap()), ..Rules::default() });
    let edit = |text: &str| Edit { description: cedargate_tokens::Update::To(text.to_owned()), ..Edit::default() };
    let app = Selector::Name("app".to_owned());
    stage.tokens.edit(&app, &edit("made before there was a rule")).await.unwrap();
    assert!(matches!(stage.tokens.edit(&app, &edit("")).await, Err(TokenError::Text { .. })));
    let rotation = Rotation { grace: "91d".parse().unwrap(), ..Rotation::default() };
    assert!(matches!(stage.tokens.rotate(&app, &rotation).await, Err(TokenError::GraceTooLong { .. })));
}
