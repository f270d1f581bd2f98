//! Static entities of a bundle, with those that a configuration adds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{Config, Team};

/// The static entities, in their order.
pub(super) struct Entities {
    list: Vec<Entity>,
}

#[derive(Deserialize, Serialize)]
struct Entity {
    uid: Value,
    #[serde(default)]
    attrs: Value,
    #[serde(default)]
    parents: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Value>,
}

/// Whether a configuration adds any.
pub(super) fn are_any(config: &Config) -> bool {
    let restricts = |team: &Team| team.models.is_some() || team.providers.is_some();
    config.models.iter().any(|model| !model.groups.is_empty()) || config.teams.values().any(restricts)
}

impl Entities {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map(|list| Self { list }).map_err(|error| error.to_string())
    }

    pub(super) fn to_text(&self) -> String {
        // Values can always be written.
        serde_json::to_string_pretty(&self.list).unwrap_or_default()
    }

    /// Adds the groups of models and the restrictions of teams.
    pub(super) fn add(&mut self, config: &Config) -> Result<(), String> {
        for model in &config.models {
            for group in &model.groups {
                let group = uid("ModelGroup", group);
                self.change(&group, |_| {});
                self.change(&uid("Model", &model.id()), |entity| {
                    if !entity.parents.iter().any(|parent| is_same(parent, &group)) {
                        entity.parents.push(group.clone());
                    }
                });
            }
        }
        for (id, team) in &config.teams {
            if team.models.is_none() && team.providers.is_none() {
                continue;
            }
            let uid = uid("Team", id);
            if self.list.iter().any(|entity| is_same(&entity.uid, &uid)) {
                return Err(format!(
                    "team `{id}` stands here and in the configuration: keep its restrictions in one of them"
                ));
            }
            self.change(&uid, |entity| entity.attrs = attributes(team));
        }
        Ok(())
    }

    /// The ids of the entities of a type.
    pub(super) fn of_type(&self, kind: &str) -> Vec<String> {
        let plain = |entity: &Entity| entity.uid.get("__entity").unwrap_or(&entity.uid).clone();
        let uids = self.list.iter().map(plain).filter(|uid| uid.get("type").and_then(Value::as_str) == Some(kind));
        uids.filter_map(|uid| uid.get("id").and_then(Value::as_str).map(str::to_owned)).collect()
    }

    /// Changes the entity of this id, which is added now where there is none.
    fn change(&mut self, uid: &Value, change: impl FnOnce(&mut Entity)) {
        if let Some(entity) = self.list.iter_mut().find(|entity| is_same(&entity.uid, uid)) {
            return change(entity);
        }
        let mut entity = Entity { uid: uid.clone(), attrs: json!({}), parents: Vec::new(), tags: None };
        change(&mut entity);
        self.list.push(entity);
    }
}

fn uid(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

/// Whether two ids are the same, in either of the forms that Cedar reads.
fn is_same(one: &Value, other: &Value) -> bool {
    let plain = |value: &Value| value.get("__entity").unwrap_or(value).clone();
    plain(one) == plain(other)
}

fn reference(kind: &str, id: &str) -> Value {
    json!({"__entity": uid(kind, id)})
}

fn attributes(team: &Team) -> Value {
    let mut attributes = serde_json::Map::new();
    if let Some(models) = &team.models {
        attributes.insert("models".to_owned(), scope(models));
    }
    if let Some(providers) = &team.providers {
        let providers = providers.iter().map(|id| reference("Provider", id)).collect();
        attributes.insert("providers".to_owned(), Value::Array(providers));
    }
    Value::Object(attributes)
}

/// A list of models as policies read it. It was checked with the configuration.
fn scope(models: &[String]) -> Value {
    let (mut exact, mut names, mut providers, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for model in models {
        if let Some(group) = model.strip_prefix("group:") {
            groups.push(reference("ModelGroup", group));
        } else {
            match model.split_once('/') {
                Some((provider, "*")) => providers.push(reference("Provider", provider)),
                Some(_) => exact.push(reference("Model", model)),
                None => names.push(reference("ModelName", model)),
            }
        }
    }
    json!({"exact": exact, "names": names, "providers": providers, "groups": groups})
}
