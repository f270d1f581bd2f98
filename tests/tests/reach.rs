//! Nobody grants more than he has: whatever a token might do that the default policies let an integration make, change or
//! be handed, a general token that is bound as the integration is might do, too.
//!
//! The ordinary run asks about 4,000 tokens. The long run takes the number from the environment:
//! `CEDARGATE_CASES=1000000 cargo test --release -p cedargate-tests --test reach`.

use cedargate_guest::{PolicySet, Principal, decide};
use cedargate_tests::corpus;
use cedargate_tests::dice::Dice;
use serde_json::{Value, json};
use std::rc::Rc;

const TOKENS: u64 = 4_000;

/// Requests of each token that was admitted.
const REQUESTS: usize = 40;

const NOON: i64 = 1_776_945_600_000;
const HOUR_MS: i64 = 3_600_000;

const MODELS: [&str; 14] = [
    "openai/gpt-4o",
    "azure/gpt-4o",
    "openai/gpt-4o-mini",
    "mistral/codestral",
    "gpt-4o",
    "gpt-4o-mini",
    "codestral",
    "openai/*",
    "azure/*",
    "mistral/*",
    "group:small",
    "group:cheap",
    "group:code",
    "group:all",
];
const ASKED: [(&str, &str); 9] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "codestral"),
    ("openai", "o3"),
    ("azure", "gpt-4o"),
    ("azure", "gpt-4o-mini"),
    ("azure", "codestral"),
    ("mistral", "codestral"),
    ("mistral", "mistral-large"),
];
const PROVIDERS: [&str; 3] = ["openai", "azure", "mistral"];
const NETWORKS: [&str; 8] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "::ffff:10.1.0.0/112",
    "192.0.2.0/24",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::/0",
];
const ADDRESSES: [&str; 6] = ["10.1.2.3", "::ffff:10.1.9.9", "10.9.9.9", "192.0.2.7", "2001:db8::7", "203.0.113.9"];
const SCOPES: [&str; 3] = ["read", "chat", "full"];
const ACTIONS: [&str; 6] = ["chat.completions", "messages", "embeddings", "images", "models.read", "models.list"];
const PLACES: [(&str, &str); 4] =
    [("", "org_id"), ("", "team_id"), ("bindings", "gateway_id"), ("bindings", "consumer_group")];

fn cases() -> u64 {
    std::env::var("CEDARGATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(TOKENS)
}

fn set(bundle: &str) -> Rc<PolicySet> {
    match cedargate_guest::load(bundle) {
        Ok(set) => Rc::new(set),
        Err(cedargate_guest::LoadError::Refused(report)) => panic!("{:?}", report.diagnostics),
        Err(error) => panic!("{error}"),
    }
}

/// The default policies over groups within groups, and a team with a restriction of its own.
fn nested() -> Rc<PolicySet> {
    let overlay = corpus::root().join("tests/bundles/groups");
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(Some(&overlay))).unwrap();
    let mut entities: Vec<Value> = serde_json::from_str(bundle["entities"]["text"].as_str().unwrap()).unwrap();
    entities.push(json!({"uid": {"type": "Team", "id": "t0"}, "parents": [],
        "attrs": {"providers": [{"type": "Provider", "id": "openai"}, {"type": "Provider", "id": "mistral"}]}}));
    bundle["entities"]["text"] = Value::from(entities).to_string().into();
    set(&bundle.to_string())
}

fn some<'t>(dice: &mut Dice, of: &[&'t str], most: usize) -> Vec<&'t str> {
    (0..dice.below(most + 1)).map(|_| *dice.pick(of)).collect()
}

fn time(hours: i64) -> Value {
    json!(cedargate::model::Timestamp::from_millis(NOON + hours * HOUR_MS).to_string())
}

/// An integration that may do everything with tokens, bound in some ways.
fn caller(dice: &mut Dice) -> Value {
    let mut scopes = vec!["tokens.*"];
    if dice.chance(40) {
        scopes.push(SCOPES[dice.below(SCOPES.len())]);
    }
    let mut caller = json!({"id": "tok_ci", "purpose": "integration", "principal_type": "api_token", "status": "active",
        "bindings": {"scopes": scopes}});
    for (within, field) in PLACES {
        if dice.chance(30) {
            *place(&mut caller, within, field) = json!(format!("t{}", dice.below(3)));
        }
    }
    for (field, list) in lists(dice) {
        if dice.chance(40) {
            caller["bindings"][field] = list;
        }
    }
    if dice.chance(40) {
        caller["expires_at"] = time(1 + dice.below(3) as i64);
    }
    caller
}

fn lists(dice: &mut Dice) -> [(&'static str, Value); 3] {
    [
        ("models", json!(some(dice, &MODELS, 3))),
        ("providers", json!(some(dice, &PROVIDERS, 2))),
        ("networks", json!(some(dice, &NETWORKS, 2))),
    ]
}

fn place<'v>(of: &'v mut Value, within: &str, field: &str) -> &'v mut Value {
    if within.is_empty() { &mut of[field] } else { &mut of[within][field] }
}

/// A general token that is mostly bound as the caller is, or more.
fn token(dice: &mut Dice, caller: &Value) -> Value {
    let mut token = json!({"id": "tok_new", "purpose": "general", "principal_type": "api_token", "bindings": {}});
    for (within, field) in PLACES {
        let own = place(&mut caller.clone(), within, field).clone();
        if !own.is_null() && dice.chance(95) {
            *place(&mut token, within, field) = own;
        } else if dice.chance(30) {
            *place(&mut token, within, field) = json!(format!("t{}", dice.below(3)));
        }
    }
    for (field, list) in lists(dice) {
        let own = caller["bindings"][field].as_array();
        match own {
            // Some of the caller's own entries, and now and then another one.
            Some(own) if dice.chance(85) => {
                let mut kept: Vec<Value> = own.iter().filter(|_| dice.chance(70)).cloned().collect();
                if dice.chance(50) {
                    kept.extend(list.as_array().into_iter().flatten().take(1).cloned());
                }
                token["bindings"][field] = kept.into();
            }
            _ if dice.chance(40) => token["bindings"][field] = list,
            _ => {}
        }
    }
    if dice.chance(60) {
        token["bindings"]["scopes"] = json!(some(dice, &SCOPES, 2));
    }
    if dice.chance(70) {
        token["expires_at"] = time(dice.below(5) as i64);
    }
    token
}

/// What is asked about a token, by which it would be had.
fn asks(action: &str, token: &Value, place: &Value) -> Value {
    let mut before = place.clone();
    before["id"] = token["id"].clone();
    let mut request = match action {
        "tokens.create" => json!({"action": action, "target": token}),
        "tokens.edit" => json!({"action": action, "current": before, "target": token}),
        _ => json!({"action": action, "current": token}),
    };
    request["client_ip"] = place["client_ip"].clone();
    for holder in ["current", "target"] {
        if let Some(token) = request[holder].as_object_mut() {
            token.remove("client_ip");
        }
    }
    request.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    request
}

/// The places of a caller as those of a token, with an address that the caller may come from.
fn places(dice: &mut Dice, caller: &Value) -> Value {
    let mut token = json!({"purpose": "general", "bindings": {}, "client_ip": dice.pick(&ADDRESSES)});
    for (within, field) in PLACES {
        let own = place(&mut caller.clone(), within, field).clone();
        if !own.is_null() {
            *place(&mut token, within, field) = own;
        }
    }
    token
}

/// The same bindings for traffic: scopes that name no traffic do not restrict it.
fn as_general(caller: &Value) -> Value {
    let mut general = caller.clone();
    general["purpose"] = json!("general");
    let bindings = general["bindings"].as_object_mut().unwrap();
    let scopes = bindings["scopes"].as_array().unwrap();
    if !scopes.iter().any(|scope| SCOPES.iter().any(|traffic| scope == traffic)) {
        bindings.remove("scopes");
    }
    general
}

fn traffic(dice: &mut Dice, token: &Value) -> (String, i64) {
    let (provider, model) = *dice.pick(&ASKED);
    let mut request = json!({"action": dice.pick(&ACTIONS), "provider": provider, "model": model, "client_ip": dice.pick(&ADDRESSES)});
    for (within, field) in PLACES {
        let own = place(&mut token.clone(), within, field).clone();
        if !own.is_null() && dice.chance(90) {
            request[field] = own;
        } else if dice.chance(30) {
            request[field] = json!(format!("t{}", dice.below(3)));
        }
    }
    (request.to_string(), NOON + dice.below(5) as i64 * HOUR_MS - i64::from(dice.chance(50)))
}

fn allows(principal: &Principal, at: i64, request: &str) -> bool {
    decide(principal, at, request, "").unwrap_or_else(|error| panic!("{request}: {error}")).is_allow()
}

fn prepare(set: &Rc<PolicySet>, profile: &Value) -> Principal {
    let mut profile = profile.clone();
    profile["status"] = json!("active");
    Principal::prepare(Rc::clone(set), &profile.to_string()).unwrap()
}

#[test]
fn what_is_granted_is_within_what_the_caller_has() {
    let (set, dice) = (nested(), &mut Dice::new(7));
    let (mut admitted, mut allowed) = (0, 0);
    for _ in 0..cases() {
        let caller = caller(dice);
        let principal = prepare(&set, &caller);
        let (token, place) = (token(dice, &caller), places(dice, &caller));
        let action = *dice.pick(&["tokens.create", "tokens.create", "tokens.edit", "tokens.rotate"]);
        let asks = asks(action, &token, &place).to_string();
        if !allows(&principal, NOON, &asks) {
            continue;
        }
        admitted += 1;
        let (granted, own) = (prepare(&set, &token), prepare(&set, &as_general(&caller)));
        for _ in 0..REQUESTS {
            let (request, at) = traffic(dice, &token);
            if allows(&granted, at, &request) {
                allowed += 1;
                assert!(allows(&own, at, &request), "{caller}\n{asks}\n{request}");
            }
        }
    }
    println!("{admitted} of {} were admitted, {allowed} requests of them allowed", cases());
    assert!(admitted * 5 > cases(), "only {admitted} of {} were admitted", cases());
    assert!(allowed > admitted * 2, "only {allowed} requests of {admitted} tokens were allowed");
}

#[test]
fn a_further_entry_never_admits_a_token() {
    let (set, dice) = (nested(), &mut Dice::new(8));
    let (mut denied, mut turned) = (0, 0);
    for _ in 0..cases() {
        let caller = caller(dice);
        let principal = prepare(&set, &caller);
        let (token, place) = (token(dice, &caller), places(dice, &caller));
        let action = *dice.pick(&["tokens.create", "tokens.edit", "tokens.rotate"]);
        let before = allows(&principal, NOON, &asks(action, &token, &place).to_string());
        for (field, of) in
            [("models", &MODELS[..]), ("providers", &PROVIDERS), ("networks", &NETWORKS), ("scopes", &SCOPES)]
        {
            let mut more = token.clone();
            let Some(list) = more["bindings"][field].as_array_mut() else { continue };
            list.insert(dice.below(list.len() + 1), json!(dice.pick(of)));
            let after = allows(&principal, NOON, &asks(action, &more, &place).to_string());
            assert!(before || !after, "{caller}\n{action}: {token}\n{more}");
            denied += u64::from(!before);
            turned += u64::from(before && !after);
        }
    }
    println!("{denied} stayed denied, {turned} became denied");
    assert!(denied > cases() / 4 && turned > cases() / 20, "{denied} stayed denied, {turned} became denied");
}

#[test]
fn a_token_sets_and_changes_no_attributes() {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    let schema = bundle["schema"]["text"].as_str().unwrap();
    let schema =
        schema.replace("type PrincipalAttributes = {};", "type PrincipalAttributes = { tier?: String, cost?: Long };");
    bundle["schema"]["text"] = json!(schema);
    let set = set(&bundle.to_string());
    let integration = json!({"id": "tok_ci", "purpose": "integration", "principal_type": "api_token",
        "bindings": {"scopes": ["tokens.*"]}});
    let integration = prepare(&set, &integration);
    let manager = json!({"id": "usr_ann", "purpose": "console", "principal_type": "user", "roles": ["manager"]});
    let manager = prepare(&set, &manager);
    let token = |attributes: &Value| {
        let mut token = json!({"id": "tok_web", "purpose": "general", "principal_type": "api_token"});
        if !attributes.is_null() {
            token["attributes"] = attributes.clone();
        }
        token
    };
    let gold = json!({"tier": "gold"});
    for (was, becomes, may) in [
        (&Value::Null, &Value::Null, true),
        (&gold, &gold, true),
        (&gold, &json!({"tier": "silver"}), false),
        (&gold, &json!({"tier": "gold", "cost": 1}), false),
        (&gold, &json!({}), false),
        (&gold, &Value::Null, false),
        (&Value::Null, &gold, false),
    ] {
        let edit = json!({"action": "tokens.edit", "current": token(was), "target": token(becomes)}).to_string();
        assert_eq!(allows(&integration, NOON, &edit), may, "{edit}");
        assert!(allows(&manager, NOON, &edit), "{edit}");
        let create = json!({"action": "tokens.create", "target": token(becomes)}).to_string();
        assert_eq!(allows(&integration, NOON, &create), becomes.is_null(), "{create}");
        assert!(allows(&manager, NOON, &create), "{create}");
        let rotate = json!({"action": "tokens.rotate", "current": token(was)}).to_string();
        assert_eq!(allows(&integration, NOON, &rotate), was.is_null(), "{rotate}");
        for action in ["tokens.revoke", "tokens.inspect", "tokens.list", "tokens.export", "tokens.edit"] {
            let request = json!({"action": action, "current": token(was)}).to_string();
            assert!(allows(&integration, NOON, &request), "{request}");
        }
    }
}
