//! What a token may do, asked of the component.

use cedargate::model::{Bindings, Profile, Request, Target, Timestamp};
use cedargate::{Decision, Pdp};
use cedargate_tokens::Token;

use super::models::{Known, models};

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

/// What was asked, and what was answered.
pub(crate) struct Ability {
    pub(crate) action: &'static str,
    /// The model as a person would name it; absent where the action takes none.
    pub(crate) model: Option<String>,
    pub(crate) decision: Decision,
}

/// Asks about every action of the contract, with every model that the profile or its team is bound to, and of tokens
/// with another one that is like this.
pub(crate) fn ask(
    pdp: &Pdp,
    known: &Known<'_>,
    token: &Token,
    profile: &Profile,
    at: Timestamp,
) -> anyhow::Result<Vec<Ability>> {
    let principal = pdp.principal(profile)?;
    let models = models(known, profile);
    let mut asked = Vec::new();
    for action in WITH_MODEL {
        for model in &models {
            let mut request = request(action, known, &profile.bindings);
            request.provider = Some(model.provider.clone());
            request.model = Some(model.name.clone());
            asked.push((action, Some(model.shown()), request));
        }
    }
    for action in WITHOUT_MODEL.into_iter().chain([CONFIG_WRITE]) {
        let mut request = request(action, known, &profile.bindings);
        if of_tokens(action) {
            request.gateway_id = None;
        }
        if matches!(action, "tokens.create" | "tokens.edit") {
            request.target = Some(like(token));
        }
        if matches!(action, "tokens.edit" | "tokens.inspect" | "tokens.rotate" | "tokens.revoke") {
            request.current = Some(like(token));
        }
        asked.push((action, None, request));
    }
    let requests: Vec<_> = asked.iter().map(|(_, _, request)| request.clone()).collect();
    let decisions = pdp.decide_many(&principal, &requests, at);
    let abilities = asked.into_iter().zip(decisions);
    Ok(abilities.map(|((action, model, _), decision)| Ability { action, model, decision }).collect())
}

/// For what is done with tokens, gateways are places of tokens and not where the request came through.
fn of_tokens(action: &str) -> bool {
    action.starts_with("tokens.")
}

/// Another token in the same place and with the same power, which is as much as most may see, change or grant. What
/// only administrators set is left out.
fn like(token: &Token) -> Target {
    let mut like = token.facts();
    (like.id, like.attributes) = (None, None);
    like
}

/// A request from where the token is meant to be used: its own gateway, consumer group and network. What it leaves open
/// is the configuration's.
fn request(action: &str, known: &Known<'_>, bindings: &Bindings) -> Request {
    let mut request = Request::new(action);
    request.gateway_id = bindings.gateway_id.clone().or(known.config.map(|config| config.gateway_id.clone()));
    request.org_id = known.config.and_then(|config| config.org_id.clone());
    request.consumer_group.clone_from(&bindings.consumer_group);
    let network = bindings.networks.iter().flatten().next();
    request.client_ip = network.map(|network| network.split('/').next().unwrap_or(network).to_owned());
    request
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
