//! What a token may do, asked of the component.

use std::collections::BTreeSet;

use cedargate::model::{Bindings, Profile, Request, Timestamp};
use cedargate::{Bundle, Decision, Pdp};
use serde_json::Value;

/// Actions of the contract that take a model.
const WITH_MODEL: [&str; 8] =
    ["chat.completions", "completions", "responses", "messages", "embeddings", "images", "audio", "models.read"];

/// Actions of the contract that take none.
const WITHOUT_MODEL: [&str; 13] = [
    "models.list",
    "tokens.create",
    "tokens.list",
    "tokens.inspect",
    "tokens.edit",
    "tokens.rotate",
    "tokens.revoke",
    "tokens.export",
    "events.read",
    "events.write",
    "audit.read",
    "usage.read",
    "config.read",
];

/// The last of them, which only administrators have.
const CONFIG_WRITE: &str = "config.write";

/// A name that nothing has: stands for any provider or model where a token is not bound to one.
const ANY: &str = "any";

/// What was asked, and what was answered.
pub(crate) struct Ability {
    pub(crate) action: &'static str,
    /// The model as a person would name it; absent where the action takes none.
    pub(crate) model: Option<String>,
    pub(crate) decision: Decision,
}

/// Asks about every action of the contract, with every model that the profile is bound to.
pub(crate) fn ask(pdp: &Pdp, bundle: &Bundle, profile: &Profile, at: Timestamp) -> anyhow::Result<Vec<Ability>> {
    let principal = pdp.principal(profile)?;
    let models = models(&profile.bindings, bundle);
    let mut asked = Vec::new();
    for action in WITH_MODEL {
        for model in &models {
            let mut request = request(action, &profile.bindings);
            request.provider = Some(model.provider.clone());
            request.model = Some(model.name.clone());
            asked.push((action, Some(model.shown()), request));
        }
    }
    for action in WITHOUT_MODEL.into_iter().chain([CONFIG_WRITE]) {
        asked.push((action, None, request(action, &profile.bindings)));
    }
    let requests: Vec<_> = asked.iter().map(|(_, _, request)| request.clone()).collect();
    let decisions = pdp.decide_many(&principal, &requests, at);
    let abilities = asked.into_iter().zip(decisions);
    Ok(abilities.map(|((action, model, _), decision)| Ability { action, model, decision }).collect())
}

/// A request from where the token is meant to be used: its own gateway, consumer group and network.
fn request(action: &str, bindings: &Bindings) -> Request {
    let mut request = Request::new(action);
    request.gateway_id.clone_from(&bindings.gateway_id);
    request.consumer_group.clone_from(&bindings.consumer_group);
    let network = bindings.networks.iter().flatten().next();
    request.client_ip = network.map(|network| network.split('/').next().unwrap_or(network).to_owned());
    request
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    provider: String,
    name: String,
}

impl Asked {
    fn new(provider: &str, name: &str) -> Self {
        Self { provider: provider.to_owned(), name: name.to_owned() }
    }

    fn shown(&self) -> String {
        match (self.provider.as_str(), self.name.as_str()) {
            (ANY, ANY) => "any model".to_owned(),
            (ANY, name) => name.to_owned(),
            (provider, ANY) => format!("{provider}/*"),
            (provider, name) => format!("{provider}/{name}"),
        }
    }
}

/// Models that tell what the bindings admit.
fn models(bindings: &Bindings, bundle: &Bundle) -> BTreeSet<Asked> {
    let providers: Vec<&str> = match &bindings.providers {
        Some(providers) => providers.iter().map(String::as_str).collect(),
        None => vec![ANY],
    };
    let Some(models) = &bindings.models else {
        return providers.iter().map(|provider| Asked::new(provider, ANY)).collect();
    };
    let mut asked = BTreeSet::new();
    for binding in models {
        if let Some(group) = binding.strip_prefix("group:") {
            for (provider, name) in members(bundle, group) {
                match provider {
                    Some(provider) => asked.extend([Asked::new(&provider, &name)]),
                    None => asked.extend(providers.iter().map(|provider| Asked::new(provider, &name))),
                }
            }
        } else if let Some((provider, name)) = binding.split_once('/') {
            asked.insert(Asked::new(provider, if name == "*" { ANY } else { name }));
        } else {
            asked.extend(providers.iter().map(|provider| Asked::new(provider, binding)));
        }
    }
    asked
}

/// The static entities of a bundle.
fn entities(bundle: &Bundle) -> Vec<Value> {
    let text = bundle.files().find(|(name, _)| *name == "entities.json").map_or("[]", |(_, text)| text);
    serde_json::from_str(text).unwrap_or_default()
}

fn is(uid: &Value, kind: &str) -> bool {
    uid["type"] == kind
}

/// The groups of models that a bundle knows.
pub(crate) fn groups(bundle: &Bundle) -> BTreeSet<String> {
    let mut groups = BTreeSet::new();
    for entity in entities(bundle) {
        let parents = entity.get("parents").and_then(Value::as_array).into_iter().flatten();
        let uids = entity.get("uid").into_iter().chain(parents);
        groups.extend(uids.filter(|uid| is(uid, "ModelGroup")).filter_map(|uid| uid["id"].as_str()).map(str::to_owned));
    }
    groups
}

/// Models that the bundle's entities put into a group, with their provider where they name one.
fn members(bundle: &Bundle, group: &str) -> Vec<(Option<String>, String)> {
    let entities = entities(bundle);
    let in_group = |entity: &&Value| {
        let parents = entity["parents"].as_array();
        parents.is_some_and(|parents| parents.iter().any(|uid| is(uid, "ModelGroup") && uid["id"] == group))
    };
    let member = |entity: &Value| {
        let uid = &entity["uid"];
        let id = uid["id"].as_str()?;
        match id.split_once('/') {
            Some((provider, name)) if is(uid, "Model") => Some((Some(provider.to_owned()), name.to_owned())),
            _ if is(uid, "ModelName") => Some((None, id.to_owned())),
            _ => None,
        }
    };
    entities.iter().filter(in_group).filter_map(member).collect()
}

/// What the token may and may not do, in lines for people.
pub(crate) fn words(profile: &Profile, abilities: &[Ability]) -> Vec<String> {
    let actions = |allowed: bool| {
        let mut actions = Vec::new();
        for ability in abilities.iter().filter(|ability| ability.decision.is_allow() == allowed) {
            // What it may do with one model is not what it may not do.
            let is_other = |other: &Ability| other.action == ability.action && other.decision.is_allow();
            if !actions.contains(&ability.action) && (allowed || !abilities.iter().any(is_other)) {
                actions.push(ability.action);
            }
        }
        if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") }
    };
    let mut models: Vec<&str> = Vec::new();
    for ability in abilities.iter().filter(|ability| ability.decision.is_allow()) {
        models.extend(ability.model.as_deref().filter(|model| !models.contains(model)));
    }
    let mut lines = vec![format!("profile: {}", resolved(profile)), format!("may: {}", actions(true))];
    if !models.is_empty() {
        lines.push(format!("  with: {}", models.join(", ")));
    }
    lines.push(format!("may not: {}", actions(false)));
    lines
}

fn resolved(profile: &Profile) -> String {
    let mut text = format!("purpose={}, principal_type={}", profile.purpose, profile.principal_type);
    let Bindings { gateway_id, consumer_group, .. } = &profile.bindings;
    for (name, value) in [
        ("gateway_id", gateway_id),
        ("team", &profile.team_id),
        ("consumer_group", consumer_group),
        ("org", &profile.org_id),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(", {name}={value}"));
        }
    }
    text
}
