//! Who may see, change and grant tokens: what somebody tries who holds one and wants another.

use cedargate_tokens::{
    Change, ChangeSet, Edit, Grant, NewToken, Rotation, Selector, SqliteOptions, SqliteStore, Update,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::failing_store::FailingStore;
use crate::plane::{CONTROL, Plane, UNBOUNDED, refused, said};
use crate::world::{World, config};

/// Binds a caller or a token.
type Bind = fn(&mut NewToken);

/// Puts it into a place.
type Put = fn(&mut Grant, &str);

/// Everything that is done with a token that is there.
const VERBS: [&str; 7] = ["inspect", "edit", "rotate", "disable", "enable", "revoke", "delete"];

fn strong(new: &mut NewToken) {
    new.grant = Grant::new("integration", "api_token");
    new.grant.bindings.scopes = Some(vec!["tokens.*".to_owned(), "config.write".to_owned()]);
}

fn list(entries: &[&str]) -> Option<Vec<String>> {
    Some(entries.iter().map(|entry| (*entry).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn to_rotate_is_to_be_handed_the_secret() {
    let plane = Plane::with(UNBOUNDED).await;
    let low = plane.integration("low", &["tokens.rotate"], None).await;
    let strong = plane.token("strong", strong).await;
    let runtime = plane
        .token("runtime", |new| {
            new.grant = Grant::new("gateway_runtime", "gateway_runtime");
            new.grant.bindings.gateway_id = Some("gw-test".to_owned());
        })
        .await;
    for id in [&strong, &runtime] {
        let reply = plane.act("rotate", id, &low, &json!({"grace": "0"})).await;
        assert_eq!(said(&reply), refused(), "{}", reply.text());
        assert_eq!(plane.find(id).await.secrets.len(), 1);
    }
    let app = plane.token("app", |_| {}).await;
    assert_eq!(plane.act("rotate", &app, &low, &Value::Null).await.status, StatusCode::OK);

    // Whoever is bound is handed what is bound alike, and a token without the binding has all of it.
    let bound: [(&str, Bind); 5] = [
        ("models", |new| new.grant.bindings.models = list(&["gpt-4o-mini"])),
        ("providers", |new| new.grant.bindings.providers = list(&["openai"])),
        ("networks", |new| new.grant.bindings.networks = list(&["127.0.0.0/8"])),
        ("budget", |new| new.allowances = vec!["100requests/day".parse().unwrap()]),
        ("expiry", |new| new.expires_in = Some("1h".parse().unwrap())),
    ];
    for (name, bind) in bound {
        let caller = plane.caller(name, &["tokens.rotate"], bind).await;
        let reply = plane.act("rotate", &app, &caller, &Value::Null).await;
        assert_eq!(said(&reply), refused(), "{name}: {}", reply.text());
        let alike = format!("{name}-app");
        let alike = plane.token(&alike, |new| {
            bind(new);
            new.expires_in = new.expires_in.map(|_| "30m".parse().unwrap());
        });
        let alike = alike.await;
        let reply = plane.act("rotate", &alike, &caller, &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{name}: {}", reply.text());
    }
    let chat = plane.integration("chat", &["tokens.rotate", "chat"], None).await;
    assert_eq!(said(&plane.act("rotate", &app, &chat, &Value::Null).await), refused(), "without scopes it has all");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_does_not_reach_another() {
    let plane = Plane::with(&format!("org_id = \"acme\"\n{UNBOUNDED}")).await;
    let places: [(&str, Put); 4] = [
        ("team", |grant, place| grant.team_id = Some(place.to_owned())),
        ("org", |grant, _| grant.org_id = Some("acme".to_owned())),
        ("gateway", |grant, place| grant.bindings.gateway_id = Some(place.to_owned())),
        ("group", |grant, place| grant.bindings.consumer_group = Some(place.to_owned())),
    ];
    for (kind, put) in places {
        let caller =
            plane.caller(&format!("{kind}-caller"), &["tokens.*"], |new| put(&mut new.grant, "frontend")).await;
        let own = plane.token(&format!("{kind}-own"), |new| put(&mut new.grant, "frontend")).await;
        let nowhere = plane.token(&format!("{kind}-nowhere"), |_| {}).await;
        let other = match kind {
            "org" => nowhere.clone(),
            _ => plane.token(&format!("{kind}-other"), |new| put(&mut new.grant, "backend")).await,
        };
        for id in [&nowhere, &other] {
            for verb in VERBS {
                let reply = plane.act(verb, id, &caller, &json!({})).await;
                assert_eq!(said(&reply), refused(), "{kind} {verb}: {}", reply.text());
            }
            let after = plane.find(id).await;
            assert!(after.revoked_at.is_none() && after.disabled_at.is_none() && after.secrets.len() == 1);
        }
        let listed = plane.listed(&caller).await;
        assert_eq!(listed, [format!("{kind}-caller"), format!("{kind}-own")], "{kind}");
        for verb in VERBS {
            let reply = plane.act(verb, &own, &caller, &json!({})).await;
            assert_eq!(reply.status, StatusCode::OK, "{kind} {verb}: {}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_pulls_no_token_in_and_pushes_none_out() {
    let plane = Plane::with(UNBOUNDED).await;
    let front = plane.integration("front", &["tokens.edit"], Some("frontend")).await;
    let theirs = plane
        .token("theirs", |new| {
            new.grant.team_id = Some("backend".to_owned());
            new.grant.bindings.models = list(&["gpt-4o-mini"]);
        })
        .await;
    let pull = json!({"team_id": "frontend", "allowed_models": null, "budgets": null});
    assert_eq!(said(&plane.act("edit", &theirs, &front, &pull).await), refused());
    assert_eq!(plane.find(&theirs).await.grant.team_id.as_deref(), Some("backend"));

    let own = plane.token("own", |new| new.grant.team_id = Some("frontend".to_owned())).await;
    for push in [json!({"team_id": "backend"}), json!({"team_id": null})] {
        assert_eq!(said(&plane.act("edit", &own, &front, &push).await), refused(), "{push}");
    }
    let fine = plane.act("edit", &own, &front, &json!({"description": "ours"})).await;
    assert_eq!(fine.status, StatusCode::OK, "{}", fine.text());

    // Enabling grants what disabling took, and both ends of it are looked at.
    let bound = plane.caller("bound", &["tokens.edit"], |new| new.grant.bindings.models = list(&["gpt-4o-mini"])).await;
    let wide = plane.token("wide", |_| {}).await;
    assert_eq!(
        plane.act("disable", &wide, &bound, &Value::Null).await.status,
        StatusCode::OK,
        "who sees it may stop it"
    );
    assert_eq!(said(&plane.act("enable", &wide, &bound, &Value::Null).await), refused());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_minted_neither_outlives_nor_outreaches_its_minter() {
    let plane = Plane::with(UNBOUNDED).await;
    let minter = plane
        .caller("minter", &["tokens.create", "tokens.edit", "chat"], |new| {
            new.expires_in = Some("1h".parse().unwrap());
            new.grant.team_id = Some("red".to_owned());
            new.grant.bindings.networks = list(&["127.0.0.0/8"]);
            new.grant.bindings.models = list(&["gpt-4o-mini"]);
            new.allowances = vec!["100requests/day".parse().unwrap()];
        })
        .await;
    let fine = json!({
        "name": "fine", "expires_in": "30m", "team_id": "red", "networks": ["127.0.0.1/32"], "scopes": ["chat"],
        "allowed_models": ["echo/gpt-4o-mini"], "budgets": ["10requests/day"],
    });
    let created = plane.create(&minter, &fine).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let beyond = [
        json!({"expires_in": null}),
        json!({"expires_in": "2h"}),
        json!({"expires_in": null, "expires_at": "2100-01-01T00:00:00Z"}),
        json!({"team_id": "blue"}),
        json!({"networks": null}),
        json!({"networks": ["127.0.0.1/32", "0.0.0.0/0"]}),
        json!({"networks": ["::/0"]}),
        json!({"scopes": null}),
        json!({"scopes": ["full"]}),
        json!({"scopes": ["chat", "full"]}),
        json!({"allowed_models": null}),
        json!({"allowed_models": ["gpt-4o"]}),
        json!({"allowed_models": ["echo/*"]}),
        json!({"budgets": null}),
        json!({"budgets": ["101requests/day"]}),
        json!({"budgets": ["10requests/hour"]}),
        json!({"budgets": ["10tokens/day"]}),
    ];
    for change in &beyond {
        let mut body = fine.clone();
        body["name"] = json!("more");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = plane.create(&minter, &body).await;
        assert_eq!(said(&reply), refused(), "{change}: {}", reply.text());
        // `expires_in` stays as it is where it is `null`.
        if change["expires_in"].is_null()
            && change.as_object().unwrap().len() == 1
            && change.get("expires_in").is_some()
        {
            continue;
        }
        let reply = plane.act("edit", &id, &minter, change).await;
        assert_eq!(said(&reply), refused(), "{change}: {}", reply.text());
    }
    for purpose in ["integration", "gateway_runtime", "console", "provider_passthrough", "anything"] {
        let mut body = fine.clone();
        body["name"] = json!("more");
        body["purpose"] = json!(purpose);
        body["gateway_id"] = json!("gw-test");
        let scopes = if purpose == "integration" { json!(["tokens.create", "tokens.revoke"]) } else { Value::Null };
        body["scopes"] = scopes;
        let reply = plane.create(&minter, &body).await;
        assert_eq!(said(&reply), refused(), "{purpose}: {}", reply.text());
    }
    let never = json!({"expires_at": null});
    assert_eq!(said(&plane.act("edit", &id, &minter, &never).await), refused());
    let tokens = plane.world.tokens.matching(&cedargate_tokens::TokenFilter::default(), 10).await.unwrap();
    assert_eq!(tokens.len(), 2, "nothing else was made");
}

/// The default policies with attributes of principals declared.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_sets_no_attributes_and_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let policies = crate::reloads::policies(folder.path());
    let schema = std::fs::read_to_string(policies.join("schema.cedarschema")).unwrap();
    let declared = schema.replace("type PrincipalAttributes = {};", "type PrincipalAttributes = { tier?: Long };");
    assert_ne!(schema, declared);
    std::fs::write(policies.join("schema.cedarschema"), declared).unwrap();
    cedargate::write_lock(&policies).unwrap();
    let mut config = config(UNBOUNDED);
    config.policies = Some(policies);
    let plane = Plane::of(World::started(config, |_| {}).await);
    let admin = plane.integration("admin", &["tokens.*"], None).await;
    let gold = json!({"tier": 3});
    let reply = plane.create(&admin, &json!({"name": "x", "attributes": gold})).await;
    assert_eq!(said(&reply), refused(), "{}", reply.text());
    let plain = plane.token("plain", |_| {}).await;
    assert_eq!(said(&plane.act("edit", &plain, &admin, &json!({"attributes": gold})).await), refused());
    let id = plane
        .token("gold", |new| {
            new.grant.attributes = Some(cedargate::model::Attributes::from_iter([("tier", 3.into())]));
        })
        .await;
    for change in [json!({"attributes": null}), json!({"attributes": {"tier": 4}})] {
        assert_eq!(said(&plane.act("edit", &id, &admin, &change).await), refused(), "{change}");
    }
    let fine = plane.act("edit", &id, &admin, &json!({"description": "gold"})).await;
    assert_eq!((fine.status, &fine.json()["attributes"]), (StatusCode::OK, &gold), "{}", fine.text());
    assert_eq!(said(&plane.act("rotate", &id, &admin, &Value::Null).await), refused());
    // What the schema does not know is no attribute at all.
    let unknown = json!({"name": "x", "attributes": {"colour": "red"}});
    assert_eq!(said(&plane.create(&admin, &unknown).await), (400, "request_invalid".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_expiry_that_is_judged_is_the_one_that_is_stored() {
    let plane = Plane::under(
        "@id(\"nobody-grants-more-than-30-days\")
        @status(\"403\")
        @code(\"target_not_allowed\")
        @message(\"The gateway grants 30 days.\")
        forbid (principal, action in [Action::\"tokens.create\", Action::\"tokens.edit\"], resource)
        when { context has target }
        unless { context has target.expires_at && context.target.expires_at <= context.at.offset(duration(\"30d\")) };",
    )
    .await;
    let admin = plane.integration("admin", &["tokens.*"], None).await;
    let id = plane.token("app", |new| new.expires_in = Some("1d".parse().unwrap())).await;
    let long = json!([{"expires_in": "31d"}, {"expires_in": "90d"}, {"expires_at": "2100-01-01T00:00:00Z"}]);
    for expiry in long.as_array().unwrap() {
        let mut body = expiry.clone();
        let reply = plane.act("edit", &id, &admin, &body).await;
        assert_eq!(said(&reply), refused(), "{expiry}: {}", reply.text());
        body["name"] = json!("new");
        let reply = plane.create(&admin, &body).await;
        assert_eq!(said(&reply), refused(), "{expiry}: {}", reply.text());
    }
    assert_eq!(said(&plane.create(&admin, &json!({"name": "new"})).await), refused());
    let short = json!({"name": "new", "expires_in": "29d"});
    assert_eq!(plane.create(&admin, &short).await.status, StatusCode::CREATED);
    let edited = plane.act("edit", &id, &admin, &json!({"expires_in": "29d"})).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.text());
    let stored = plane.find(&id).await.grant.expires_at.unwrap();
    assert_eq!(edited.json()["expires_at"], json!(stored.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_between_decision_and_storing_is_decided_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let (store, _) = FailingStore::new(store);
    let ahead = store.ahead();
    let plane = Plane::of(World::on(std::sync::Arc::new(store), folder, config(CONTROL), |_| {}).await);
    let front = plane.integration("front", &["tokens.*"], Some("frontend")).await;
    let overtake = |id: String, change: fn(&mut cedargate_tokens::Token)| {
        let (plane, ahead) = (&plane, &ahead);
        async move {
            let before = plane.find(&id).await;
            let mut after = before.clone();
            change(&mut after);
            let changes = vec![Change { action: "edit", before: Some(before), after }];
            let set = ChangeSet { at: plane.world.tokens.now(), actor: "somebody".to_owned(), changes };
            *ahead.lock().unwrap() = Some(set);
        }
    };
    for (verb, body) in
        [("edit", json!({"description": "mine"})), ("rotate", json!({"grace": "0"})), ("revoke", Value::Null)]
    {
        let id = plane.token(verb, |new| new.grant.team_id = Some("frontend".to_owned())).await;
        overtake(id.clone(), |token| token.grant.team_id = Some("backend".to_owned())).await;
        let reply = plane.act(verb, &id, &front, &body).await;
        assert_eq!(said(&reply), refused(), "{verb}: {}", reply.text());
        let after = plane.find(&id).await;
        assert_eq!(after.grant.team_id.as_deref(), Some("backend"), "{verb}: the other change was made");
        assert!(after.description.is_none() && after.secrets.len() == 1 && after.revoked_at.is_none());
    }
    let id = plane.token("both", |new| new.grant.team_id = Some("frontend".to_owned())).await;
    overtake(id.clone(), |token| token.grant.bindings.models = list(&["gpt-4o"])).await;
    let reply = plane.act("edit", &id, &front, &json!({"description": "mine"})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let after = plane.find(&id).await;
    assert_eq!((after.description.as_deref(), after.grant.bindings.models), (Some("mine"), list(&["gpt-4o"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_not_there_tells_nothing_to_who_is_bound() {
    let plane = Plane::with(UNBOUNDED).await;
    let bound = plane.integration("bound", &["tokens.*"], Some("red")).await;
    let unbound = plane.integration("unbound", &["tokens.*"], None).await;
    let foreign = plane.token("foreign", |new| new.grant.team_id = Some("blue".to_owned())).await;
    for verb in VERBS {
        let there = plane.act(verb, &foreign, &bound, &json!({})).await;
        let missing = plane.act(verb, "tok_0000000000000000", &bound, &json!({})).await;
        assert_eq!((said(&there), there.text()), (refused(), missing.text()), "{verb}");
        let reply = plane.act(verb, "tok_0000000000000000", &unbound, &json!({})).await;
        assert_eq!(said(&reply), (404, "token_not_found".to_owned()), "{verb}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_secret_grants_nothing_and_still_ends_tokens() {
    let plane = Plane::with(UNBOUNDED).await;
    let old = plane.integration("caller", &["tokens.*"], None).await;
    let caller = plane.world.tokens.rotate(&Selector::Name("caller".to_owned()), &Rotation::default()).await.unwrap();
    let app = plane.token("app", |_| {}).await;
    for verb in ["edit", "enable", "rotate"] {
        let reply = plane.act(verb, &app, &old, &json!({})).await;
        assert_eq!(said(&reply), refused(), "{verb}: {}", reply.text());
    }
    assert_eq!(said(&plane.create(&old, &json!({"name": "new"})).await), refused());
    assert_eq!(said(&plane.act("rotate", &caller.token.id, &old, &Value::Null).await), refused());
    for verb in ["inspect", "disable", "revoke"] {
        let reply = plane.act(verb, &app, &old, &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{verb}: {}", reply.text());
    }
    let new = caller.secret.expose();
    assert_eq!(plane.create(new, &json!({"name": "new"})).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_looks_at_replaces_and_ends_oneself_and_changes_nothing_else() {
    let plane = Plane::with(UNBOUNDED).await;
    for (verb, status) in
        [("inspect", 200), ("edit", 403), ("enable", 403), ("rotate", 200), ("disable", 200), ("revoke", 200)]
    {
        let secret = plane
            .caller(verb, &["tokens.*"], |new| {
                new.expires_in = Some("1h".parse().unwrap());
                new.grant.bindings.networks = list(&["127.0.0.0/8"]);
            })
            .await;
        let id = plane.world.tokens.find(&Selector::Name(verb.to_owned())).await.unwrap().id;
        let reply = plane.act(verb, &id, &secret, &json!({})).await;
        assert_eq!(reply.status.as_u16(), status, "{verb}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said_to_those_who_may_make_it() {
    let plane = Plane::with(UNBOUNDED).await;
    let low = plane.integration("low", &["tokens.list"], None).await;
    let lister = plane.integration("lister", &["tokens.create"], None).await;
    let bound = plane.integration("bound", &["tokens.*"], Some("red")).await;
    let admin = plane.integration("admin", &["tokens.*"], None).await;
    let app = plane.token("app", |_| {}).await;
    let long: Vec<String> = (0..300).map(|n| format!("10.0.{}.{}/32", n / 250, n % 250)).collect();
    let bodies = [
        "[]".to_owned(),
        "\"x\"".to_owned(),
        "{".to_owned(),
        "{\"name\":\"x\"} {}".to_owned(),
        "\u{7f}".to_owned(),
        json!({"name": "x", "colour": "red"}).to_string(),
        json!({"name": "x", "team_id": 7}).to_string(),
        json!({"name": "x", "team_id": ""}).to_string(),
        json!({"name": "x", "expires_in": "soon"}).to_string(),
        json!({"name": "x", "expires_at": "tomorrow"}).to_string(),
        json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}).to_string(),
        json!({"name": "x", "budgets": ["many"]}).to_string(),
        json!({"name": "x", "networks": ["everywhere"]}).to_string(),
        json!({"name": "x", "networks": long}).to_string(),
        json!({"name": "x", "allowed_models": ["a b/*/c", ""]}).to_string(),
        json!({"name": "x", "allowed_models": ["nobody/gpt-4o"]}).to_string(),
        json!({"name": "x", "allowed_providers": ["Open AI"]}).to_string(),
        json!({"name": "x", "attributes": {"tier": 3}}).to_string(),
        json!({"name": "x", "attributes": [1.5]}).to_string(),
        "{\"name\":\"x\",\"team_id\":\"red\",\"team_id\":\"blue\"}".to_owned(),
    ];
    let path = format!("/v1/tokens/{app}");
    for body in &bodies {
        let shown: String = body.chars().take(80).collect();
        for caller in [&low, &bound] {
            let reply = plane.send_text(Method::POST, "/v1/tokens", caller, body).await;
            assert_eq!(reply.status.as_u16(), 403, "{shown}: {}", reply.text());
            let reply = plane.send_text(Method::PATCH, &path, caller, body).await;
            assert_eq!(reply.status.as_u16(), 403, "{shown}: {}", reply.text());
        }
        for caller in [&lister, &admin] {
            let reply = plane.send_text(Method::POST, "/v1/tokens", caller, body).await;
            assert_eq!(said(&reply), (400, "request_invalid".to_owned()), "{shown}: {}", reply.text());
        }
        let reply = plane.send_text(Method::PATCH, &path, &admin, body).await;
        assert_eq!(said(&reply), (400, "request_invalid".to_owned()), "{shown}: {}", reply.text());
    }
    let huge = json!({"name": "x", "description": "x".repeat(70 << 10)}).to_string();
    assert_eq!(plane.send_text(Method::POST, "/v1/tokens", &low, &huge).await.status, StatusCode::FORBIDDEN);
    assert_eq!(plane.send_text(Method::POST, "/v1/tokens", &admin, &huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for (verb, body) in [
        ("rotate", json!({"grace": "soon"})),
        ("rotate", json!({"grace": "365d"})),
        ("rotate", json!({"idempotency_key": 7})),
        ("revoke", json!({"version": "all"})),
        ("revoke", json!({"version": 9})),
        ("delete", json!({"versions": 1})),
    ] {
        for caller in [&low, &bound] {
            assert_eq!(plane.act(verb, &app, caller, &body).await.status.as_u16(), 403, "{verb} {body}");
        }
        assert_eq!(plane.act(verb, &app, &admin, &body).await.status.as_u16(), 400, "{verb} {body}");
    }
    for query in ["color=red", "team=%20", "status=odd", "after=tok_none", "after=a&after=b"] {
        let path = format!("/v1/tokens?{query}");
        assert_eq!(plane.send(Method::GET, &path, &lister, &Value::Null).await.status.as_u16(), 403, "{query}");
        let reply = plane.send(Method::GET, &path, &admin, &Value::Null).await;
        assert_eq!(said(&reply), (400, "request_invalid".to_owned()), "{query}: {}", reply.text());
    }
    // Names in use, revoked tokens and the like are no less of a secret.
    plane.world.tokens.revoke(&Selector::Id(app.clone()), None).await.unwrap();
    assert_eq!(plane.act("enable", &app, &bound, &Value::Null).await.status, StatusCode::FORBIDDEN);
    assert_eq!(plane.act("enable", &app, &admin, &Value::Null).await.status, StatusCode::CONFLICT);
    let taken = json!({"name": "admin"});
    assert_eq!(plane.create(&low, &taken).await.status, StatusCode::FORBIDDEN);
    assert_eq!(plane.create(&admin, &taken).await.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_caller_is_told_by_trusted_proxies_alone() {
    for (trusted, status) in [("trusted_proxies = [\"127.0.0.0/8\"]", StatusCode::OK), ("", StatusCode::FORBIDDEN)] {
        let plane = Plane::with(&format!("[control]\naddress = \"127.0.0.1:0\"\n{trusted}\n")).await;
        let caller =
            plane.caller("far", &["tokens.list"], |new| new.grant.bindings.networks = list(&["203.0.113.0/24"])).await;
        let bearer = format!("Bearer {caller}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "203.0.113.7")];
        let reply = plane.client.send(plane.client.request(Method::GET, "/v1/tokens", &headers, "")).await;
        assert_eq!(reply.status, status, "{trusted}: {}", reply.text());
        let direct = plane.send(Method::GET, "/v1/tokens", &caller, &Value::Null).await;
        assert_eq!(direct.status, StatusCode::FORBIDDEN, "{}", direct.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_too_large_is_not_stored_and_can_be_ended() {
    let plane = Plane::with(UNBOUNDED).await;
    let admin = plane.integration("admin", &["tokens.*"], None).await;
    let networks: Vec<String> = (0..250).map(|n| format!("2001:db8:{n:x}:ffff:ffff:ffff:ffff:ffff/128")).collect();
    let models: Vec<String> = (0..250).map(|n| format!("group:{n:0>100}")).collect();
    let large = json!({"name": "large", "networks": networks, "allowed_models": models});
    let reply = plane.create(&admin, &large).await;
    assert_eq!(said(&reply), (400, "request_invalid".to_owned()), "{}", reply.text());
    assert!(reply.text().contains("at most 24576"), "{}", reply.text());
    let app = plane.token("app", |_| {}).await;
    let reply = plane.act("edit", &app, &admin, &json!({"networks": networks, "allowed_models": models})).await;
    assert_eq!(said(&reply), (400, "request_invalid".to_owned()), "{}", reply.text());

    // One that was stored before there was a limit.
    for verb in ["disable", "revoke", "delete"] {
        let mut new = NewToken::new(format!("{verb}-huge"), Grant::general());
        new.grant.bindings.models = Some((0..1_000).map(|n| format!("openai/{n:0>200}")).collect());
        let at = plane.world.tokens.now();
        let after = plane.world.tokens.draft(new, at).unwrap().token().clone();
        let id = after.id.clone();
        let changes = vec![Change { action: "create", before: None, after }];
        plane.world.store.apply(&ChangeSet { at, actor: "before".to_owned(), changes }).await.unwrap();
        assert_eq!(plane.act("inspect", &id, &admin, &Value::Null).await.status, StatusCode::OK);
        let reply = plane.act("edit", &id, &admin, &json!({"description": "x"})).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
        let reply = plane.act(verb, &id, &admin, &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{verb}: {}", reply.text());
        let token = plane.find(&id).await;
        assert!(token.revoked_at.is_some() || token.disabled_at.is_some());
    }
    assert!(plane.listed(&admin).await.contains(&"delete-huge".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_out_of_date_is_not_carried_out() {
    let world = World::new().await;
    let token = world.token("app", |_| {}).await.token;
    let edit = |text: &str| Edit { description: Update::To(text.to_owned()), ..Edit::default() };
    let at = world.tokens.now();
    let (one, two) =
        (world.tokens.plan_edit(token.clone(), &edit("one"), at), world.tokens.plan_edit(token, &edit("two"), at));
    assert_eq!(world.tokens.carry_out(one).await.unwrap().description.as_deref(), Some("one"));
    let late = world.tokens.carry_out(two).await;
    assert!(matches!(late, Err(cedargate_tokens::TokenError::Store(cedargate_tokens::StoreError::Conflict))));
}
