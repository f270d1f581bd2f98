//! Static entities, as Cedar's parser reads them.

use super::policies::Named;
use super::schema::Schema;
use super::statics::Statics;
use super::uid;
use crate::contract::network::Network;
use crate::facts::kind::Kind;
use cedar_policy_core::ast::{Entity, EntityUID};
use cedar_policy_core::entities::err::EntitiesError;
use cedar_policy_core::entities::{Entities as CedarEntities, EntityJsonParser, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use std::collections::{BTreeMap, BTreeSet};

/// The static entities of a bundle.
#[derive(Debug)]
pub struct Entities(CedarEntities);

/// Reads static entities.
///
/// # Errors
/// What Cedar's parser says.
pub fn parse(text: &str, schema: Option<&Schema>) -> Result<Entities, Box<EntitiesError>> {
    let (extensions, ancestors) = (Extensions::all_available(), TCComputation::ComputeNow);
    let parsed = match schema {
        Some(schema) => {
            let schema = CoreSchema::new(schema);
            EntityJsonParser::new(Some(&schema), extensions, ancestors).from_json_str(text)
        }
        None => EntityJsonParser::<NoEntitiesSchema>::new(None, extensions, ancestors).from_json_str(text),
    };
    parsed.map(Entities).map_err(Box::new)
}

impl Entities {
    /// Those that are principals, as Cedar writes them.
    pub fn principals(&self) -> impl Iterator<Item = String> {
        let is_principal = |entity: &&Entity| {
            Kind::PRINCIPALS.iter().any(|kind| uid::entity_type(*kind) == entity.uid().entity_type())
        };
        self.0.iter().filter(is_principal).map(|entity| entity.uid().to_string())
    }

    /// Those that are networks.
    pub fn networks(&self) -> impl Iterator<Item = Named> {
        let ty = uid::entity_type(Kind::Network);
        let networks = self.0.iter().map(Entity::uid).filter(move |uid| uid.entity_type() == ty);
        networks.map(|uid| Named { id: AsRef::<str>::as_ref(uid.eid()).to_owned(), shown: uid.to_string(), span: None })
    }

    /// With every model in its provider and under its name.
    #[must_use]
    pub fn with_model_parents(self) -> Self {
        let Self(entities) = self;
        let plain = Statics::new(entities.clone(), BTreeSet::new());
        let mut out: BTreeMap<EntityUID, Entity> = entities.iter().map(|e| (e.uid().clone(), e.clone())).collect();
        for entity in entities.iter() {
            let parents = uid::model_parents(entity.uid());
            if !parents.is_empty() {
                out.insert(entity.uid().clone(), plain.with_parents(entity.uid().clone(), parents).as_ref().clone());
            }
        }
        let (schema, ancestors) = (None::<&NoEntitiesSchema>, TCComputation::AssumeAlreadyComputed);
        let made = CedarEntities::from_entities(out.into_values(), schema, ancestors, Extensions::all_available());
        Self(made.unwrap_or(entities))
    }

    /// With the networks that the bundle or a policy names.
    #[must_use]
    pub fn into_statics(self, networks: BTreeSet<Network>) -> Statics {
        Statics::new(self.0, networks)
    }
}
