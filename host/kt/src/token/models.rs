//! Which models tell what a token may use.

use std::collections::BTreeSet;

use cedargate::Bundle;
use cedargate::model::Profile;
use cedargate_gateway::config::Config;
use serde_json::Value;

/// A name that nothing has: stands for any provider or model where a token is not bound to one.
const ANY: &str = "any";

/// How a person names whatever model at whatever provider.
pub(crate) const EVERYTHING: &str = "any model";

/// What is known beside the token.
pub(crate) struct Known<'a> {
    /// The policies, with what the configuration adds to them.
    pub(crate) bundle: &'a Bundle,
    /// The gateway's configuration, where one is named.
    pub(crate) config: Option<&'a Config>,
}

/// A model to ask about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) provider: String,
    pub(crate) name: String,
}

impl Asked {
    fn new(provider: &str, name: &str) -> Self {
        Self { provider: provider.to_owned(), name: name.to_owned() }
    }

    /// As a person would name it.
    pub(crate) fn shown(&self) -> String {
        match (self.provider.as_str(), self.name.as_str()) {
            (ANY, ANY) => EVERYTHING.to_owned(),
            (ANY, name) => name.to_owned(),
            (provider, ANY) => format!("{provider}/*"),
            (provider, name) => format!("{provider}/{name}"),
        }
    }
}

/// The models that the token or its team names: what neither names is forbidden to it, or nothing is.
pub(crate) fn models(known: &Known<'_>, profile: &Profile) -> BTreeSet<Asked> {
    let entities = entities(known.bundle);
    let team = profile.team_id.as_deref().map(|team| Restriction::of(team, &entities)).unwrap_or_default();
    let providers = profile.bindings.providers.clone().or(team.providers).unwrap_or_else(|| vec![ANY.to_owned()]);
    let at_each = |name: &str| providers.iter().map(|provider| Asked::new(provider, name)).collect::<Vec<_>>();
    let lists = [&profile.bindings.models, &team.models];
    if lists.iter().all(|list| list.is_none()) {
        return at_each(ANY).into_iter().collect();
    }
    let mut asked = BTreeSet::new();
    for binding in lists.into_iter().flatten().flatten() {
        if let Some(group) = binding.strip_prefix("group:") {
            for (provider, name) in members(&entities, group) {
                match provider {
                    Some(provider) => asked.extend([Asked::new(&provider, &name)]),
                    None => asked.extend(at_each(&name)),
                }
            }
        } else if let Some((provider, name)) = binding.split_once('/') {
            asked.insert(Asked::new(provider, if name == "*" { ANY } else { name }));
        } else {
            let of_config = listed(known.config, &providers, binding);
            asked.extend(if of_config.is_empty() { at_each(binding) } else { of_config });
        }
    }
    asked
}

/// The models of this name that the configuration has at these providers.
fn listed(config: Option<&Config>, providers: &[String], name: &str) -> Vec<Asked> {
    let models = config.into_iter().flat_map(|config| &config.models).filter(|model| model.name == name);
    let is_there = |provider: &str| providers.iter().any(|one| one == ANY || one == provider);
    models.filter(|model| is_there(&model.provider)).map(|model| Asked::new(&model.provider, name)).collect()
}

/// What a team may use, as its entity says it and written like a binding.
#[derive(Default)]
struct Restriction {
    models: Option<Vec<String>>,
    providers: Option<Vec<String>>,
}

impl Restriction {
    fn of(team: &str, entities: &[Value]) -> Self {
        let is_it = |entity: &&Value| entity.get("uid").and_then(|uid| id(uid, "Team")) == Some(team);
        let Some(attributes) = entities.iter().find(is_it).and_then(|entity| entity.get("attrs")) else {
            return Self::default();
        };
        let models = attributes.get("models").map(|scope| {
            let names = ids(scope, "names", "ModelName").map(str::to_owned);
            let exact = ids(scope, "exact", "Model").map(str::to_owned);
            let providers = ids(scope, "providers", "Provider").map(|provider| format!("{provider}/*"));
            let groups = ids(scope, "groups", "ModelGroup").map(|group| format!("group:{group}"));
            names.chain(exact).chain(providers).chain(groups).collect()
        });
        let restricts = attributes.get("providers").is_some();
        let providers = ids(attributes, "providers", "Provider").map(str::to_owned).collect();
        Self { models, providers: restricts.then_some(providers) }
    }
}

/// The static entities of a bundle.
fn entities(bundle: &Bundle) -> Vec<Value> {
    let text = bundle.files().find(|(name, _)| *name == "entities.json").map_or("[]", |(_, text)| text);
    serde_json::from_str(text).unwrap_or_default()
}

/// The id of an entity that is named in either of the forms that Cedar reads, where it has this type.
fn id<'v>(uid: &'v Value, kind: &str) -> Option<&'v str> {
    let uid = uid.get("__entity").unwrap_or(uid);
    uid.get("id").and_then(Value::as_str).filter(|_| uid.get("type").and_then(Value::as_str) == Some(kind))
}

/// The ids of this type in a list that is a field.
fn ids<'v>(value: &'v Value, field: &str, kind: &str) -> impl Iterator<Item = &'v str> {
    let list = value.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(move |uid| id(uid, kind))
}

/// Models that the bundle's entities put into a group, with their provider where they name one.
fn members(entities: &[Value], group: &str) -> Vec<(Option<String>, String)> {
    let in_group = |entity: &&Value| ids(entity, "parents", "ModelGroup").any(|parent| parent == group);
    let member = |entity: &Value| {
        let uid = entity.get("uid")?;
        if let Some(name) = id(uid, "ModelName") {
            return Some((None, name.to_owned()));
        }
        let (provider, name) = id(uid, "Model")?.split_once('/')?;
        Some((Some(provider.to_owned()), name.to_owned()))
    };
    entities.iter().filter(in_group).filter_map(member).collect()
}
