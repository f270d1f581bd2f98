//! The stage of loading that reads static entities, and the networks that policies name.

use super::Loader;
use crate::cedar::entities::{self, Entities};
use crate::cedar::policies;
use crate::cedar::schema::Schema;
use crate::cedar::statics::Statics;
use crate::contract::diagnostic::{Code, Source};
use crate::contract::network::Network;
use crate::load::hierarchy::{HIERARCHY_DEPTH_MAX, Parents};
use std::collections::BTreeSet;

impl Loader {
    /// The networks that policies name. A network's id must be canonical, or no address would lie in it.
    pub(super) fn policy_networks(&mut self) -> BTreeSet<Network> {
        let mut networks = BTreeSet::new();
        if self.general() {
            return networks;
        }
        let mut wrong = Vec::new();
        for (id, draft) in &self.drafts {
            for named in policies::networks(&draft.policy) {
                match canonical(&named.id) {
                    Ok(network) => {
                        networks.insert(network);
                    }
                    Err(help) => wrong.push((id.clone(), draft.file.clone(), named, help)),
                }
            }
        }
        for (id, file, named, help) in wrong {
            let message = format!("{} holds no address", named.shown);
            let mut finding = match (self.files.get(&file), named.span) {
                (Some((text, balanced)), Some((from, to))) => {
                    let (from, to) = (balanced.original(from), balanced.original(to));
                    Source { file: &file, text }.at(from, to.saturating_sub(from), Code::Validation, message)
                }
                _ => Source { file: &file, text: "" }.whole(Code::Validation, message),
            };
            finding.policy = Some(id);
            self.found.push(finding.help(help));
        }
        networks
    }

    pub(super) fn statics(&mut self, schema: Option<&Schema>, mut networks: BTreeSet<Network>) -> Statics {
        let file = self.bundle.entities.clone();
        let name = file.as_ref().map_or("entities.json", |f| f.name.as_str()).to_owned();
        let text = file.as_ref().map_or("[]", |f| f.text.as_str());
        if let Some(deep) = Parents::of_entities(text).too_deep() {
            let deep = deep.replace('\0', " ");
            let message = format!("{deep} has a chain of more than {HIERARCHY_DEPTH_MAX} parents above it");
            self.whole(&name, Code::Limit, message, "make the hierarchy flatter: an entity may have several parents");
            return Statics::default();
        }
        let mut entities = match entities::parse(text, schema) {
            Ok(entities) => entities,
            Err(error) => {
                let source = Source { file: &name, text };
                let told = source.cedar(&*error, Code::Entities, |at| at);
                let mut finding = source.json(Code::Entities, &told.message);
                finding.help = told.help;
                self.found.push(finding);
                return Statics::default();
            }
        };
        if !self.general() {
            self.check_statics(&name, &entities, &mut networks);
            entities = entities.with_model_parents();
        }
        entities.into_statics(networks)
    }

    fn check_statics(&mut self, name: &str, entities: &Entities, networks: &mut BTreeSet<Network>) {
        let declared = self.bundle.entities.as_ref().map(|file| file.text.clone()).unwrap_or_default();
        let listed: Vec<serde_json::Value> = serde_json::from_str(&declared).unwrap_or_default();
        for principal in entities.principals() {
            let message = format!("{principal} is a principal");
            self.whole(name, Code::Entities, message, "principals come from tokens: remove it");
        }
        for named in entities.networks() {
            match canonical(&named.id) {
                Ok(network) => {
                    networks.insert(network);
                }
                Err(help) => {
                    self.whole(name, Code::Entities, format!("{} holds no address", named.shown), &help);
                }
            }
        }
        let is_action = |value: &serde_json::Value| {
            value
                .pointer("/uid/type")
                .and_then(|ty| ty.as_str())
                .is_some_and(|ty| ty == "Action" || ty.ends_with("::Action"))
        };
        if listed.iter().any(is_action) {
            self.whole(
                name,
                Code::Entities,
                "an action is among the static entities",
                "actions are declared by the schema: remove it",
            );
        }
    }
}

/// A network entity must have the id that addresses are put under.
fn canonical(id: &str) -> Result<Network, String> {
    match Network::read(id) {
        Ok(network) if network.to_string() == id => Ok(network),
        Ok(network) => Err(format!("write it as `{network}`")),
        Err(error) => Err(format!("`{id}` {error}")),
    }
}
