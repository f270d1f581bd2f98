//! Entity types and ids as Cedar has them.

use crate::contract::bundle::Uid;
use crate::facts::kind::Kind;
use cedar_policy_core::ast::{Eid, EntityType, EntityUID, Name};
use std::str::FromStr;
use std::sync::LazyLock;

/// A type of the facts.
#[must_use]
pub fn entity_type(kind: Kind) -> &'static EntityType {
    static TYPES: LazyLock<Vec<EntityType>> =
        LazyLock::new(|| Kind::ALL.into_iter().map(|kind| plain(kind.name())).collect());
    static SERVICE: LazyLock<EntityType> = LazyLock::new(|| plain("Service"));
    TYPES.get(kind as usize).unwrap_or(&SERVICE)
}

/// An entity of a type of the facts.
#[must_use]
pub fn of_kind(kind: Kind, id: &str) -> EntityUID {
    EntityUID::from_components(entity_type(kind).clone(), Eid::new(id), None)
}

/// The type of actions.
#[must_use]
pub fn action_type() -> &'static EntityType {
    static ACTION: LazyLock<EntityType> = LazyLock::new(|| plain("Action"));
    &ACTION
}

/// The entity that a text of the contract names. `None` where its type is none.
#[must_use]
pub fn written(uid: &Uid) -> Option<EntityUID> {
    let ty = EntityType::from_str(&uid.ty).ok()?;
    Some(EntityUID::from_components(ty, Eid::new(uid.id.as_str()), None))
}

/// The name of an extension function.
#[must_use]
pub fn function(name: &str) -> Option<Name> {
    Name::from_str(name).ok()
}

/// A model lies in its provider, if it names one, and under its name. Nothing else has parents by its id.
#[must_use]
pub fn model_parents(uid: &EntityUID) -> Vec<EntityUID> {
    let id: &str = uid.eid().as_ref();
    match id.split_once('/') {
        Some((provider, name)) if uid.entity_type() == entity_type(Kind::Model) => {
            let provider = (!provider.is_empty()).then(|| of_kind(Kind::Provider, provider));
            provider.into_iter().chain([of_kind(Kind::ModelName, name)]).collect()
        }
        _ => Vec::new(),
    }
}

/// A type by its unqualified name.
#[expect(clippy::expect_used, reason = "every name of the facts is an identifier, and a test walks them all")]
fn plain(name: &str) -> EntityType {
    EntityType::from(Name::from_str(name).expect("an identifier"))
}

#[cfg(test)]
mod tests {
    use super::entity_type;
    use crate::facts::kind::Kind;

    #[test]
    fn every_kind_has_its_type() {
        for kind in Kind::ALL {
            assert_eq!(entity_type(kind).to_string(), kind.name());
        }
    }
}
