//! Generated bundles with profiles: policies that overlap, err, and use every part of the language over the
//! facts of tokens and requests, with principals and requests that meet them, from one number.

use crate::dice::Dice;
use serde_json::{Value, json};

/// A generated bundle, with who asks and what is asked.
pub struct Rulebook {
    /// The text of the bundle.
    pub bundle: String,
    /// Profiles.
    pub profiles: Vec<String>,
    /// Requests, and the counters that stand apart, which may be empty.
    pub requests: Vec<(String, String)>,
    /// Times that lie at and around what policies compare the time with.
    pub times: Vec<i64>,
}

const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

const PRINCIPAL_ATTRIBUTES: &str = r#"type PrincipalAttributes = {
  n?: Long, s?: String, set?: Set<String>, rec?: { a: Long, b?: String }, price?: decimal, home?: ipaddr,
  since?: datetime, span?: duration, peer?: Team, model?: Model, models?: Set<Model>, flag?: Bool,
};"#;

const REQUEST_ATTRIBUTES: &str = r#"type RequestAttributes = {
  n?: Long, s?: String, set?: Set<String>, rec?: { a: Long, b?: String }, price?: decimal, home?: ipaddr,
  since?: datetime, span?: duration, peer?: Team, model?: Model, flag?: Bool,
};"#;

const ACTIONS: [&str; 11] = [
    "chat.completions",
    "embeddings",
    "models.list",
    "models.read",
    "tokens.create",
    "tokens.edit",
    "tokens.list",
    "tokens.rotate",
    "config.read",
    "events.write",
    "no.such.action",
];

const STRINGS: [&str; 6] = ["", "a", "abc", "a*c", "é", "tok-1"];
const LONGS: [i64; 7] = [0, 1, -1, 42, i64::MAX, i64::MIN, 9_000_000_000_000_000_000];
const STATUSES: [&str; 4] = ["active", "in_grace", "revoked", "odd"];
const PURPOSES: [&str; 4] = ["general", "gateway_runtime", "integration", "console"];
const TYPES: [&str; 5] = ["api_token", "gateway_runtime", "user", "provider_key", "robot"];
const NETWORKS: [&str; 5] = ["10.0.0.0/8", "10.1.0.0/16", "192.168.1.0/24", "::/0", "2001:db8::/32"];
const ADDRESSES: [&str; 6] = ["10.1.2.3", "10.2.0.1", "192.168.1.9", "127.0.0.1", "2001:db8::7", "::ffff:10.1.0.1"];
const TIMES: [&str; 5] = [
    "2026-04-23T12:00:00Z",
    "2026-04-23T12:00:00.001Z",
    "2026-04-23T11:59:59.999Z",
    "2026-04-24T00:00:00Z",
    "2027-01-01T00:00:00Z",
];
const DAY_MS: i64 = 86_400_000;
/// The first of [`TIMES`] in milliseconds.
const NOON: i64 = 1_776_945_600_000;

fn numbered(dice: &mut Dice, what: &str, of: usize) -> String {
    format!("{what}{}", dice.below(of))
}

fn team(dice: &mut Dice) -> String {
    format!("Team::\"{}\"", numbered(dice, "t", 4))
}

fn group(dice: &mut Dice) -> String {
    format!("ModelGroup::\"{}\"", numbered(dice, "grp", 4))
}

fn gateway(dice: &mut Dice) -> String {
    format!("Gateway::\"{}\"", numbered(dice, "gw", 4))
}

fn model(dice: &mut Dice) -> String {
    format!("Model::\"p{}/m{}\"", dice.below(3), dice.below(4))
}

fn time(dice: &mut Dice) -> String {
    format!("datetime(\"{}\")", dice.pick(&TIMES))
}

fn string(dice: &mut Dice) -> String {
    format!("{:?}", dice.pick(&STRINGS)).replace("a*c", "a\\u{2a}c")
}

/// Where attributes are read.
fn holder(dice: &mut Dice) -> &'static str {
    if dice.chance(50) { "principal.attributes" } else { "context.attributes" }
}

fn guard(holder: &str, field: &str) -> String {
    let root = if holder.starts_with("principal") { "principal" } else { "context" };
    format!("{root} has attributes.{field}")
}

/// An attribute that is there, with its guard, in something about it.
fn attribute(dice: &mut Dice) -> String {
    let of = holder(dice);
    let (field, about) = match dice.below(13) {
        0 => ("n", format!("{of}.n + {} > 3", dice.pick(&LONGS[..5]))),
        1 => ("n", format!("{of}.n * 3 - 7 <= {}", dice.pick(&LONGS[..4]))),
        2 => ("n", format!("-{of}.n < {of}.n")),
        3 => {
            ("s", format!("{of}.s like {}", dice.pick(&["\"a*\"", "\"*c\"", "\"*b*\"", "\"a\\*c\"", "\"\"", "\"*\""])))
        }
        4 => ("s", format!("{of}.s == {}", string(dice))),
        5 => ("set", format!("{of}.set.containsAny([{}, {}])", string(dice), string(dice))),
        6 => (
            "set",
            format!("{of}.set.{}", dice.pick(&["isEmpty()", "contains(\"a\")", "containsAll([\"a\", \"abc\"])"])),
        ),
        7 => match dice.below(3) {
            0 => ("rec", format!("{of}.rec.a == {}", dice.below(2))),
            1 => ("n", format!("{{x: {of}.n, y: [principal.id]}} == {{x: 42, y: [\"tok-1\"]}}")),
            _ => {
                let both = "principal has attributes.rec && context has attributes.rec";
                return format!("{both} && principal.attributes.rec == context.attributes.rec");
            }
        },
        8 => ("price", format!("{of}.price.{}(decimal(\"1.5\"))", dice.pick(&["lessThan", "greaterThanOrEqual"]))),
        9 => (
            "home",
            format!(
                "{of}.home.{}",
                dice.pick(&["isIpv4()", "isLoopback()", "isInRange(ip(\"10.0.0.0/8\"))", "isMulticast()"])
            ),
        ),
        10 => ("since", format!("{of}.since.offset(duration(\"{}ms\")) > context.at", dice.pick(&[1, i64::MAX]))),
        11 => ("peer", format!("{of}.peer {}", dice.pick(&["in Team::\"t0\"", "== Team::\"t1\"", "has level"]))),
        _ => (
            "model",
            format!("{of}.model in {}", dice.pick(&["Provider::\"p0\"", "ModelName::\"m1\"", "ModelGroup::\"grp1\""])),
        ),
    };
    format!("{} && {about}", guard(of, field))
}

fn about_principal(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => format!("principal.purpose == {:?}", dice.pick(&PURPOSES)),
        1 => "[\"active\", \"in_grace\"].contains(principal.status)".to_owned(),
        2 => format!("principal in {}", team(dice)),
        3 => format!("principal in [{}, {}]", team(dice), team(dice)),
        4 => format!("principal has team && principal.team == {}", team(dice)),
        5 => format!("principal has team.level && principal.team.level + 1 > {}", dice.pick(&LONGS[..5])),
        6 => format!(
            "principal has team && principal.team.hasTag(\"k\") && principal.team.getTag(\"k\") * 2 > {}",
            dice.below(5)
        ),
        7 => "principal is ApiToken".to_owned(),
        8 => format!("principal has name && principal.name like \"*{}*\"", dice.below(4)),
        9 => format!("[principal.id, {}].contains(\"tok-1\")", string(dice)),
        10 => "principal.team_declared".to_owned(),
        _ => format!("principal.bindings has gateway && principal.bindings.gateway == {}", gateway(dice)),
    }
}

fn about_request(dice: &mut Dice) -> String {
    match dice.below(16) {
        0 => format!("context has gateway && context.gateway == {}", gateway(dice)),
        1 => format!("context has gateway && context.gateway in [{}, {}]", gateway(dice), gateway(dice)),
        2 => format!("resource in {}", group(dice)),
        3 => format!("resource == {}", model(dice)),
        4 => "resource is Model".to_owned(),
        5 => format!(
            "principal.bindings has models && resource in principal.bindings.models.{}",
            dice.pick(&["exact", "names", "providers", "groups"])
        ),
        6 => "principal.bindings has scopes && context.operation in principal.bindings.scopes".to_owned(),
        7 => format!("context has client && context.client in Network::{:?}", dice.pick(&NETWORKS)),
        8 => format!("context has client_ip && context.client_ip.isInRange(ip({:?}))", dice.pick(&NETWORKS)),
        9 => format!(
            "context has {0} && context.{0}.requested > context.{0}.limit - context.{0}.spent",
            dice.pick(&["budget", "rate", "team_rate"])
        ),
        10 => "context has rate.resets_at && context.rate.resets_at > context.at".to_owned(),
        11 => format!(
            "action {}",
            dice.pick(&[
                "in Action::\"gateway\"",
                "== Action::\"tokens.create\"",
                "in [Action::\"runtime\", Action::\"embeddings\"]"
            ])
        ),
        12 => {
            "context has target.bindings.scopes && context.target.bindings.scopes.contains(Scope::\"read\")".to_owned()
        }
        13 => format!(
            "context has team && principal has team && [principal.team, context.team].containsAll([{}])",
            team(dice)
        ),
        14 => "context.teams_closed".to_owned(),
        _ => format!("context has provider && context.provider == Provider::\"p{}\"", dice.below(3)),
    }
}

/// A token that is asked about, in something about it.
fn about_token(dice: &mut Dice) -> String {
    let token = *dice.pick(&["current", "current", "target"]);
    let of = format!("context.{token}");
    let (field, about) = match dice.below(15) {
        0 => return format!("context has {token}"),
        1 => return about_both(dice),
        2..5 => return outside(dice, token),
        5 => ("id", format!("{of}.id == principal.id")),
        6 => ("name", format!("{of}.name like \"*{}*\"", dice.below(4))),
        7 => ("purpose", format!("[\"general\", {:?}].contains({of}.purpose)", dice.pick(&PURPOSES))),
        8 => ("team", format!("{of}.team {} {}", dice.pick(&["in", "=="]), team(dice))),
        9 => ("team", format!("principal has team && {of}.team == principal.team")),
        10 => ("roles", format!("{of}.roles.{}", dice.pick(&["isEmpty()", "contains(Role::\"admin\")"]))),
        11 => ("bindings.gateway", format!("{of}.bindings.gateway == {}", gateway(dice))),
        12 => {
            let about = dice.pick(&[
                "names.isEmpty()",
                "exact.contains(Model::\"p0/m1\")",
                "groups.contains(ModelGroup::\"grp1\")",
            ]);
            ("bindings.models", format!("{of}.bindings.models.{about}"))
        }
        13 => {
            let about = dice.pick(&["context.at < {}", "{} <= context.at", "{} > datetime(\"2026-04-24\")"]);
            ("expires_at", about.replace("{}", &format!("{of}.expires_at")))
        }
        _ => ("attributes.n", format!("{of}.attributes.n + {} > 3", dice.pick(&LONGS[..5]))),
    };
    format!("context has {token}.{field} && {about}")
}

/// What of a token lies beyond the principal.
fn outside(dice: &mut Dice, token: &str) -> String {
    let list = dice.pick(&["models_outside", "providers_outside", "networks_outside", "budgets_outside"]);
    let about = match dice.below(4) {
        0 | 1 => "isEmpty()".to_owned(),
        2 => "contains(\"*\")".to_owned(),
        _ => format!("containsAny([\"m1\", \"p1\", \"p1/*\", \"*usd/day\", {:?}])", dice.pick(&NETWORKS)),
    };
    format!("context has {token} && context.{token}.{list}.{about}")
}

/// A token as it is beside what it would become.
fn about_both(dice: &mut Dice) -> String {
    let all = [
        "context has current && context has target && context.current == context.target",
        "context has current && context has target && context.current.bindings == context.target.bindings",
        "context has current.attributes && context has target.attributes && context.current.attributes == context.target.attributes",
        "context has current.expires_at && principal has expires_at && context.current.expires_at <= principal.expires_at",
        "context has target.bindings.scopes && context has current.bindings.scopes && context.current.bindings.scopes.containsAll(context.target.bindings.scopes)",
    ];
    (*dice.pick(&all)).to_owned()
}

fn about_time(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => format!("context.at {} {}", dice.pick(&["<", "<=", ">", ">=", "==", "!="]), time(dice)),
        1 => format!("{} {} context.at", time(dice), dice.pick(&["<", "<=", ">", ">="])),
        2 => format!("context.at >= {} && context.at < {}", time(dice), time(dice)),
        3 => "principal has expires_at && context.at >= principal.expires_at".to_owned(),
        4 => format!("context.at.toTime() {} duration(\"12h\")", dice.pick(&["<", ">"])),
        5 => format!("context.at.durationSince({}) > duration(\"1h\")", time(dice)),
        6 => "principal has not_before && context.at < principal.not_before.offset(duration(\"1ms\"))".to_owned(),
        _ => "principal has attributes.since && principal.attributes.since.toDate() <= context.at".to_owned(),
    }
}

/// What errs wherever an evaluation comes to it.
fn erring(dice: &mut Dice) -> &'static str {
    match dice.below(3) {
        0 => "context.at.offset(duration(\"9223372036854775807ms\")) == context.at",
        1 => "context.at.durationSince(datetime(\"1970-01-01\")).toMilliseconds() * 9223372036854775807 > 0",
        _ => "9223372036854775807 + 1 == 0",
    }
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.chance(45) {
        return match dice.below(28) {
            0..9 => about_request(dice),
            9..14 => about_principal(dice),
            14..17 => about_time(dice),
            17..20 => attribute(dice),
            20..24 => erring(dice).to_owned(),
            _ => about_token(dice),
        };
    }
    let part = |dice: &mut Dice| format!("({})", expression(dice, depth - 1));
    match dice.below(8) {
        0..3 => format!("{} && {}", part(dice), part(dice)),
        3..5 => format!("{} || {}", part(dice), part(dice)),
        5 => format!("!{}", part(dice)),
        6 => format!("if {} then {} else {}", part(dice), part(dice), part(dice)),
        _ => format!("{} && {} && {}", part(dice), part(dice), part(dice)),
    }
}

fn scope(dice: &mut Dice, slot: Option<&str>) -> String {
    let principal = match (slot, dice.below(8)) {
        (Some(slot), _) if slot.contains("principal") => "principal in ?principal".to_owned(),
        (_, 0) => format!("principal in {}", team(dice)),
        (_, 1) => "principal is ApiToken".to_owned(),
        (_, 2) => format!("principal is User in {}", team(dice)),
        (_, 3) => "principal == ApiToken::\"tok-1\"".to_owned(),
        _ => "principal".to_owned(),
    };
    let action = match dice.below(6) {
        0 => "action in Action::\"gateway\"".to_owned(),
        1 => "action in [Action::\"chat.completions\", Action::\"control_plane\"]".to_owned(),
        2 => "action == Action::\"models.list\"".to_owned(),
        _ => "action".to_owned(),
    };
    let resource = match (slot, dice.below(8)) {
        (Some(slot), _) if slot.contains("resource") => "resource in ?resource".to_owned(),
        (_, 0) => "resource is Model".to_owned(),
        (_, 1) => format!("resource in {}", group(dice)),
        (_, 2) => format!("resource is Model in Provider::\"p{}\"", dice.below(3)),
        (_, 3) => format!("resource == {}", model(dice)),
        _ => "resource".to_owned(),
    };
    format!("({principal}, {action}, {resource})")
}

fn policy(dice: &mut Dice, id: &str, slot: Option<&str>) -> String {
    let permit = dice.chance(40);
    let status =
        if permit { "" } else { dice.pick(&["", "@status(\"401\")\n", "@status(\"429\")\n", "@status(\"403\")\n"]) };
    let mut text = format!("@id({id:?})\n{status}{} {}", if permit { "permit" } else { "forbid" }, scope(dice, slot));
    for _ in 0..dice.below(3) {
        text += &format!("\n{} {{ {} }}", if dice.chance(75) { "when" } else { "unless" }, expression(dice, 3));
    }
    text + ";\n"
}

/// A generated bundle.
#[must_use]
pub fn rulebook(seed: u64) -> Rulebook {
    let dice = &mut Dice::new(seed);
    let mut texts: Vec<String> = (0..4 + dice.below(10)).map(|n| policy(dice, &format!("p{n}"), None)).collect();
    let mut links = Vec::new();
    for (slot, uid) in [
        ("?principal", json!({"type": "Team", "id": "t1"})),
        ("?resource", json!({"type": "ModelGroup", "id": "grp1"})),
    ] {
        if dice.chance(60) {
            let template = format!("template-{}", &slot[1..]);
            texts.push(policy(dice, &template, Some(slot)));
            links
                .push(json!({"template_id": template, "link_id": format!("link-{}", &slot[1..]), "args": {slot: uid}}));
        }
    }
    let schema = SCHEMA
        .replace("type PrincipalAttributes = {};", PRINCIPAL_ATTRIBUTES)
        .replace("type RequestAttributes = {};", REQUEST_ATTRIBUTES)
        .replace("entity Team = {", "entity Team in [Team] = {\n  level?: Long,")
        .replace(
            "  providers?: Set<Provider>,\n};\n\nentity Role;",
            "  providers?: Set<Provider>,\n} tags Long;\n\nentity Role;",
        );
    let bundle = json!({"v": 1,
        "schema": {"name": "schema.cedarschema", "text": schema},
        "policies": [{"name": "a.cedar", "text": texts.concat()}],
        "entities": {"name": "entities.json", "text": entities().to_string()},
        "links": [{"name": "a.links.json", "text": Value::from(links).to_string()}],
        "settings": {"teams": dice.pick(&["open", "closed"])}});
    let profiles = (0..4).map(|n| profile(dice, n).to_string()).collect();
    let requests = (0..6).map(|_| request(dice)).collect();
    let times = [0, 1, -1, 500, DAY_MS / 2, DAY_MS * 300].iter().map(|step| NOON + step).collect();
    Rulebook { bundle: bundle.to_string(), profiles, requests, times }
}

fn entities() -> Value {
    let parent = |ty: &str, id: &str| json!({"type": ty, "id": id});
    json!([
        {"uid": parent("Team", "t0"), "attrs": {"level": 3}, "parents": [], "tags": {"k": 2}},
        {"uid": parent("Team", "t1"), "attrs": {}, "parents": [parent("Team", "t0")], "tags": {}},
        {"uid": parent("Team", "t2"), "attrs": {"level": i64::MAX}, "parents": [parent("Team", "t1")], "tags": {"k": i64::MAX}},
        {"uid": parent("ModelName", "m1"), "attrs": {}, "parents": [parent("ModelGroup", "grp1")]},
        {"uid": parent("ModelGroup", "grp1"), "attrs": {}, "parents": [parent("ModelGroup", "grp0")]},
        {"uid": parent("Model", "p0/m2"), "attrs": {}, "parents": [parent("ModelGroup", "grp2")]},
        {"uid": parent("Operation", "chat.completions"), "attrs": {}, "parents": [parent("Scope", "chat")]},
        {"uid": parent("Operation", "models.list"), "attrs": {}, "parents": [parent("Scope", "read")]},
        {"uid": parent("Scope", "read"), "attrs": {}, "parents": [parent("Scope", "chat")]},
    ])
}

fn put(into: &mut Value, dice: &mut Dice, percent: usize, field: &str, value: impl FnOnce(&mut Dice) -> Value) {
    if dice.chance(percent) {
        into[field] = value(dice);
    }
}

fn attributes(dice: &mut Dice) -> Value {
    let mut out = json!({});
    put(&mut out, dice, 60, "n", |dice| json!(dice.pick(&LONGS)));
    put(&mut out, dice, 60, "s", |dice| json!(dice.pick(&STRINGS)));
    put(&mut out, dice, 50, "set", |dice| (0..dice.below(4)).map(|_| json!(dice.pick(&STRINGS))).collect());
    put(&mut out, dice, 40, "rec", |dice| {
        let mut rec = json!({"a": dice.below(2)});
        put(&mut rec, dice, 30, "b", |_| json!("x"));
        rec
    });
    put(&mut out, dice, 40, "price", |dice| json!(dice.pick(&["1.5", "1.4999", "-0.0001", "922337203685477.5807"])));
    put(&mut out, dice, 40, "home", |dice| {
        json!(dice.pick(&["10.1.0.0/16", "127.0.0.1", "::1", "224.0.0.1", "0.0.0.0/0"]))
    });
    put(&mut out, dice, 40, "since", |dice| {
        json!(dice.pick(&["2026-04-23", "1970-01-01", "2026-04-23T12:00:00.001Z"]))
    });
    put(&mut out, dice, 30, "peer", |dice| json!(numbered(dice, "t", 4)));
    put(&mut out, dice, 30, "model", |dice| json!(format!("p{}/m{}", dice.below(3), dice.below(4))));
    out
}

fn bindings(dice: &mut Dice) -> Value {
    let mut out = json!({});
    put(&mut out, dice, 30, "gateway_id", |dice| json!(numbered(dice, "gw", 4)));
    put(&mut out, dice, 40, "models", |dice| {
        let all = ["m1", "p0/m1", "p1/*", "group:grp1", "group:grp0", "m3"];
        (0..dice.below(4)).map(|_| json!(dice.pick(&all))).collect()
    });
    put(&mut out, dice, 20, "providers", |dice| (0..dice.below(3)).map(|_| json!(numbered(dice, "p", 3))).collect());
    put(&mut out, dice, 30, "scopes", |dice| json!([dice.pick(&["read", "chat", "full"])]));
    put(&mut out, dice, 20, "networks", |dice| json!([dice.pick(&NETWORKS)]));
    out
}

fn budgets(dice: &mut Dice) -> Value {
    let budget = |dice: &mut Dice| json!({"unit": dice.pick(&["usd", "tokens"]), "window": dice.pick(&["day", "month"]), "limit": dice.below(3)});
    (0..dice.below(3)).map(|_| budget(dice)).collect()
}

/// A token that is asked about.
fn token(dice: &mut Dice) -> Value {
    let mut out = json!({});
    put(&mut out, dice, 60, "id", |dice| json!(numbered(dice, "tok-", 4)));
    put(&mut out, dice, 50, "name", |dice| json!(format!("name-{}", dice.below(8))));
    put(&mut out, dice, 80, "purpose", |dice| json!(dice.pick(&PURPOSES)));
    put(&mut out, dice, 50, "principal_type", |dice| json!(dice.pick(&TYPES)));
    put(&mut out, dice, 30, "org_id", |dice| json!(numbered(dice, "org", 2)));
    put(&mut out, dice, 60, "team_id", |dice| json!(numbered(dice, "t", 4)));
    put(&mut out, dice, 40, "roles", |dice| if dice.chance(50) { json!(["admin"]) } else { json!([]) });
    put(&mut out, dice, 80, "bindings", bindings);
    put(&mut out, dice, 30, "not_before", |dice| json!(dice.pick(&TIMES)));
    put(&mut out, dice, 50, "expires_at", |dice| json!(dice.pick(&TIMES)));
    put(&mut out, dice, 50, "budgets", budgets);
    put(&mut out, dice, 50, "attributes", attributes);
    out
}

fn profile(dice: &mut Dice, n: usize) -> Value {
    let mut out = json!({"id": format!("tok-{n}"), "purpose": dice.pick(&PURPOSES), "principal_type": dice.pick(&TYPES),
        "status": dice.pick(&STATUSES), "bindings": bindings(dice)});
    put(&mut out, dice, 50, "name", |dice| json!(format!("name-{}", dice.below(8))));
    put(&mut out, dice, 60, "team_id", |dice| json!(numbered(dice, "t", 4)));
    put(&mut out, dice, 30, "roles", |_| json!(["admin"]));
    put(&mut out, dice, 40, "expires_at", |dice| json!(dice.pick(&TIMES)));
    put(&mut out, dice, 40, "not_before", |dice| json!(dice.pick(&TIMES)));
    put(&mut out, dice, 40, "budgets", budgets);
    put(&mut out, dice, 70, "attributes", attributes);
    out
}

fn counters(dice: &mut Dice) -> Value {
    let mut out = json!({});
    for name in ["budget", "rate", "team_rate"] {
        put(&mut out, dice, 50, name, |dice| {
            let mut counter = json!({"limit": dice.below(5), "spent": dice.below(6), "requested": 1});
            put(&mut counter, dice, 40, "resets_at", |dice| json!(dice.pick(&TIMES)));
            counter
        });
    }
    out
}

fn request(dice: &mut Dice) -> (String, String) {
    let mut out = json!({"action": dice.pick(&ACTIONS), "model": numbered(dice, "m", 4)});
    put(&mut out, dice, 80, "provider", |dice| json!(numbered(dice, "p", 3)));
    put(&mut out, dice, 60, "gateway_id", |dice| json!(numbered(dice, "gw", 4)));
    put(&mut out, dice, 30, "team_id", |dice| json!(numbered(dice, "t", 4)));
    put(&mut out, dice, 60, "client_ip", |dice| json!(dice.pick(&ADDRESSES)));
    put(&mut out, dice, 40, "target", token);
    put(&mut out, dice, 50, "current", token);
    if dice.chance(20) && out.get("current").is_some() {
        out["target"] = out["current"].clone();
    }
    put(&mut out, dice, 70, "attributes", attributes);
    if dice.chance(15) {
        let own = counters(dice);
        for (name, counter) in own.as_object().into_iter().flatten() {
            out[name] = counter.clone();
        }
        return (out.to_string(), String::new());
    }
    let counters = if dice.chance(50) { counters(dice).to_string() } else { String::new() };
    (out.to_string(), counters)
}

/// Other counters for a request whose counters stand apart.
#[must_use]
pub fn other_counters(seed: u64) -> String {
    counters(&mut Dice::new(seed)).to_string()
}
