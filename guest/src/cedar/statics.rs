//! The entities that do not change between requests: those of the bundle and the actions of its schema.

use super::uid;
use crate::contract::network::Network;
use crate::facts::kind::Kind;
use cedar_policy_core::ast::{Entity, EntityUID};
use cedar_policy_core::entities::Entities;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// The static entities of a set, with what is looked up in them.
#[derive(Debug, Default)]
pub struct Statics {
    /// Static entities and actions, their ancestors complete, for the general door.
    pub entities: Entities,
    /// Every network that the bundle or a policy names.
    pub networks: Vec<Network>,
    declared: BTreeMap<EntityUID, Arc<Entity>>,
    /// For every scope that contains others: those, and those in them.
    contained: BTreeMap<String, BTreeSet<String>>,
}

impl Statics {
    /// Takes over entities whose ancestors are complete.
    #[must_use]
    pub fn new(entities: Entities, networks: BTreeSet<Network>) -> Self {
        let declared: BTreeMap<EntityUID, Arc<Entity>> =
            entities.iter().map(|entity| (entity.uid().clone(), Arc::new(entity.clone()))).collect();
        let mut contained: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let scope = uid::entity_type(Kind::Scope);
        for entity in declared.values().filter(|e| e.uid().entity_type() == scope) {
            for wider in entity.ancestors().filter(|a| a.entity_type() == scope) {
                let narrow: &str = entity.uid().eid().as_ref();
                let wide: &str = wider.eid().as_ref();
                contained.entry(wide.to_owned()).or_default().insert(narrow.to_owned());
            }
        }
        let networks = networks.into_iter().collect();
        Self { entities, networks, declared, contained }
    }

    /// The static entity with this id, if the bundle declares it.
    #[must_use]
    pub fn get(&self, uid: &EntityUID) -> Option<&Arc<Entity>> {
        self.declared.get(uid)
    }

    /// An entity with these parents in addition to those that the bundle declares.
    #[must_use]
    pub fn with_parents(&self, uid: EntityUID, parents: impl IntoIterator<Item = EntityUID>) -> Arc<Entity> {
        let mut direct: HashSet<EntityUID> = parents.into_iter().collect();
        if let Some(declared) = self.get(&uid).filter(|e| direct.iter().all(|parent| e.is_descendant_of(parent))) {
            return Arc::clone(declared);
        }
        let mut further: HashSet<EntityUID> = HashSet::new();
        for parent in &direct {
            further.extend(self.get(parent).into_iter().flat_map(|entity| entity.ancestors()).cloned());
        }
        let Some(declared) = self.get(&uid) else {
            further.retain(|ancestor| !direct.contains(ancestor));
            return Arc::new(Entity::new_with_attr_partial_value(uid, [], further, direct, []));
        };
        direct.extend(declared.parents().cloned());
        further.extend(declared.indirect_ancestors().cloned());
        further.retain(|ancestor| !direct.contains(ancestor));
        let attributes: Vec<_> = declared.attrs().map(|(k, v)| (k.clone(), v.clone())).collect();
        let tags: Vec<_> = declared.tags().map(|(k, v)| (k.clone(), v.clone())).collect();
        Arc::new(Entity::new_with_attr_partial_value(uid, attributes, further, direct, tags))
    }

    /// For every scope that contains others: those, and those in them.
    pub fn contained(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.contained.iter().map(|(scope, narrow)| (scope.as_str(), narrow))
    }
}
