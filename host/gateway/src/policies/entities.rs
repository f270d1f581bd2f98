//! Static entities of a bundle, with those that a configuration adds.

use std::collections::{BTreeSet, HashMap};
use std::iter;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::{Config, Team};

/// The static entities, in their order.
pub(super) struct Entities {
    list: Vec<Entity>,
    /// Where each stands in the list. Configurations name thousands of models.
    places: HashMap<Key, usize>,
}

/// The type and the id of an entity.
type Key = (String, String);

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
        let list: Vec<Entity> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let keys = list.iter().enumerate().filter_map(|(place, entity)| Some((key(&entity.uid)?, place)));
        Ok(Self { places: keys.collect(), list })
    }

    pub(super) fn to_text(&self) -> String {
        // Values can always be written.
        serde_json::to_string_pretty(&self.list).unwrap_or_default()
    }

    /// Adds the groups of models and the restrictions of teams.
    pub(super) fn add(&mut self, config: &Config) -> Result<(), String> {
        for model in &config.models {
            for group in &model.groups {
                self.change("ModelGroup", group, |_| {});
                self.change("Model", &model.id(), |entity| {
                    let group = ("ModelGroup".to_owned(), group.clone());
                    if !entity.parents.iter().any(|parent| key(parent).as_ref() == Some(&group)) {
                        entity.parents.push(uid(&group.0, &group.1));
                    }
                });
            }
        }
        for (id, team) in &config.teams {
            if team.models.is_none() && team.providers.is_none() {
                continue;
            }
            if self.places.contains_key(&("Team".to_owned(), id.clone())) {
                return Err(format!(
                    "team `{id}` stands here and in the configuration: keep its restrictions in one of them"
                ));
            }
            self.change("Team", id, |entity| entity.attrs = attributes(team));
        }
        Ok(())
    }

    /// The ids of this type that entities or their parents have.
    pub(super) fn named(&self, kind: &str) -> Vec<String> {
        let uids = self.list.iter().flat_map(|entity| iter::once(&entity.uid).chain(&entity.parents));
        let ids = uids.filter_map(key).filter(|(of, _)| of == kind).map(|(_, id)| id);
        ids.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Changes the entity of this id, which is added now where there is none.
    fn change(&mut self, kind: &str, id: &str, change: impl FnOnce(&mut Entity)) {
        let next = self.list.len();
        let place = *self.places.entry((kind.to_owned(), id.to_owned())).or_insert(next);
        if place == next {
            self.list.push(Entity { uid: uid(kind, id), attrs: json!({}), parents: Vec::new(), tags: None });
        }
        if let Some(entity) = self.list.get_mut(place) {
            change(entity);
        }
    }
}

fn uid(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

/// The type and the id, in either of the forms that Cedar reads.
fn key(uid: &Value) -> Option<Key> {
    let uid = uid.get("__entity").unwrap_or(uid);
    let text = |field: &str| uid.get(field).and_then(Value::as_str).map(str::to_owned);
    Some((text("type")?, text("id")?))
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
