//! The entity types that the plug-in makes facts of.

/// An entity type of the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_kind_stands_at_its_own_place() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
