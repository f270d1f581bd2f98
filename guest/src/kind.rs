//! The entity types that the plug-in makes facts of, and the way to their ids.

use cedar_policy_core::ast::{Eid, EntityType, EntityUID, Name};
use std::str::FromStr;
use std::sync::LazyLock;

/// An entity type of the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of `policies/schema.cedarschema`, which describes them")]
pub enum Kind {
    ApiToken,
    GatewayRuntime,
    ProviderKey,
    User,
    OtherPrincipal,
    Team,
    Role,
    Organization,
    Gateway,
    ConsumerGroup,
    Provider,
    ModelName,
    ModelGroup,
    Model,
    Network,
    Address,
    Scope,
    Operation,
    Service,
}

impl Kind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 19] = [
        Self::ApiToken,
        Self::GatewayRuntime,
        Self::ProviderKey,
        Self::User,
        Self::OtherPrincipal,
        Self::Team,
        Self::Role,
        Self::Organization,
        Self::Gateway,
        Self::ConsumerGroup,
        Self::Provider,
        Self::ModelName,
        Self::ModelGroup,
        Self::Model,
        Self::Network,
        Self::Address,
        Self::Scope,
        Self::Operation,
        Self::Service,
    ];

    /// The types of principals.
    pub const PRINCIPALS: [Self; 5] =
        [Self::ApiToken, Self::GatewayRuntime, Self::ProviderKey, Self::User, Self::OtherPrincipal];

    /// The name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiToken => "ApiToken",
            Self::GatewayRuntime => "GatewayRuntime",
            Self::ProviderKey => "ProviderKey",
            Self::User => "User",
            Self::OtherPrincipal => "OtherPrincipal",
            Self::Team => "Team",
            Self::Role => "Role",
            Self::Organization => "Organization",
            Self::Gateway => "Gateway",
            Self::ConsumerGroup => "ConsumerGroup",
            Self::Provider => "Provider",
            Self::ModelName => "ModelName",
            Self::ModelGroup => "ModelGroup",
            Self::Model => "Model",
            Self::Network => "Network",
            Self::Address => "Address",
            Self::Scope => "Scope",
            Self::Operation => "Operation",
            Self::Service => "Service",
        }
    }

    /// The type as Cedar names it.
    #[must_use]
    pub fn entity_type(self) -> &'static EntityType {
        static TYPES: LazyLock<Vec<(Kind, EntityType)>> =
            LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, plain(kind.name()))).collect());
        static SERVICE: LazyLock<EntityType> = LazyLock::new(|| plain("Service"));
        TYPES.get(self as usize).map_or(&*SERVICE, |(_, ty)| ty)
    }

    /// The entity of this type with an id.
    #[must_use]
    pub fn uid(self, id: &str) -> EntityUID {
        EntityUID::from_components(self.entity_type().clone(), Eid::new(id), None)
    }

    /// The type of principals of a profile's `principal_type`.
    #[must_use]
    pub fn of_principal(principal_type: &str) -> Self {
        match principal_type {
            "api_token" => Self::ApiToken,
            "gateway_runtime" => Self::GatewayRuntime,
            "provider_key" => Self::ProviderKey,
            "user" => Self::User,
            _ => Self::OtherPrincipal,
        }
    }
}

/// The type of actions.
#[must_use]
pub fn action(id: &str) -> EntityUID {
    static ACTION: LazyLock<EntityType> = LazyLock::new(|| plain("Action"));
    EntityUID::from_components(ACTION.clone(), Eid::new(id), None)
}

/// A type by its unqualified name.
#[expect(clippy::expect_used, reason = "every name of this module is an identifier, and a test walks them all")]
fn plain(name: &str) -> EntityType {
    EntityType::from(Name::from_str(name).expect("an identifier"))
}

/// The name of an extension function.
#[must_use]
pub fn function(name: &str) -> Option<Name> {
    Name::from_str(name).ok()
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_kind_stands_at_its_own_place() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(kind.entity_type().to_string(), kind.name());
        }
    }
}
