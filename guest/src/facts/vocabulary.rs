//! The entity types and attribute names of a set, as numbers. The schema closes both: nothing that a token or a
//! request brings can add to them.

use crate::facts::kind::Kind;
use crate::facts::symbol::TypeId;
use crate::facts::value::Attr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The attributes of the plug-in's own facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    At,
    Attributes,
    Bindings,
    Budget,
    BudgetsOutside,
    Client,
    ClientIp,
    ConsumerGroup,
    Current,
    Exact,
    ExpiresAt,
    Gateway,
    GraceUntil,
    Groups,
    Id,
    Limit,
    Models,
    ModelsOutside,
    Name,
    Symbols,
    Networks,
    NetworksOutside,
    NotBefore,
    Operation,
    Org,
    PrincipalType,
    Provider,
    Providers,
    ProvidersOutside,
    Purpose,
    Rate,
    Requested,
    ResetsAt,
    Roles,
    Scopes,
    Spent,
    Status,
    Target,
    Team,
    TeamBudget,
    TeamDeclared,
    TeamRate,
    TeamsClosed,
}

impl Fact {
    const NAMES: [(Self, &'static str); 43] = [
        (Self::At, "at"),
        (Self::Attributes, "attributes"),
        (Self::Bindings, "bindings"),
        (Self::Budget, "budget"),
        (Self::BudgetsOutside, "budgets_outside"),
        (Self::Client, "client"),
        (Self::ClientIp, "client_ip"),
        (Self::ConsumerGroup, "consumer_group"),
        (Self::Current, "current"),
        (Self::Exact, "exact"),
        (Self::ExpiresAt, "expires_at"),
        (Self::Gateway, "gateway"),
        (Self::GraceUntil, "grace_until"),
        (Self::Groups, "groups"),
        (Self::Id, "id"),
        (Self::Limit, "limit"),
        (Self::Models, "models"),
        (Self::ModelsOutside, "models_outside"),
        (Self::Name, "name"),
        (Self::Symbols, "names"),
        (Self::Networks, "networks"),
        (Self::NetworksOutside, "networks_outside"),
        (Self::NotBefore, "not_before"),
        (Self::Operation, "operation"),
        (Self::Org, "org"),
        (Self::PrincipalType, "principal_type"),
        (Self::Provider, "provider"),
        (Self::Providers, "providers"),
        (Self::ProvidersOutside, "providers_outside"),
        (Self::Purpose, "purpose"),
        (Self::Rate, "rate"),
        (Self::Requested, "requested"),
        (Self::ResetsAt, "resets_at"),
        (Self::Roles, "roles"),
        (Self::Scopes, "scopes"),
        (Self::Spent, "spent"),
        (Self::Status, "status"),
        (Self::Target, "target"),
        (Self::Team, "team"),
        (Self::TeamBudget, "team_budget"),
        (Self::TeamDeclared, "team_declared"),
        (Self::TeamRate, "team_rate"),
        (Self::TeamsClosed, "teams_closed"),
    ];

    /// The name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).map_or("", |(_, name)| name)
    }
}

impl From<Fact> for Attr {
    /// The facts are the first attributes of every set, in their order.
    fn from(fact: Fact) -> Self {
        Self(fact as u32)
    }
}

/// What entity types and attributes are called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vocabulary {
    types: Vec<String>,
    attributes: Vec<String>,
    #[serde(skip)]
    type_ids: BTreeMap<String, TypeId>,
    #[serde(skip)]
    attribute_ids: BTreeMap<String, Attr>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        let mut new = Self {
            types: Vec::new(),
            attributes: Vec::new(),
            type_ids: BTreeMap::new(),
            attribute_ids: BTreeMap::new(),
        };
        for kind in Kind::ALL {
            new.type_id(kind.name());
        }
        new.type_id(ACTION);
        for (_, name) in Fact::NAMES {
            new.attribute(name);
        }
        new
    }
}

const ACTION: &str = "Action";

impl Vocabulary {
    /// The type of actions.
    pub const ACTION: TypeId = TypeId(Kind::ALL.len() as u16);

    /// The number of an entity type, which gets one where it has none.
    pub fn type_id(&mut self, name: &str) -> TypeId {
        if let Some(known) = self.type_ids.get(name) {
            return *known;
        }
        let id = TypeId(u16::try_from(self.types.len()).unwrap_or(u16::MAX - 1));
        self.types.push(name.to_owned());
        self.type_ids.insert(name.to_owned(), id);
        id
    }

    /// The number of an attribute, which gets one where it has none.
    pub fn attribute(&mut self, name: &str) -> Attr {
        if let Some(known) = self.attribute_ids.get(name) {
            return *known;
        }
        let id = Attr(u32::try_from(self.attributes.len()).unwrap_or(u32::MAX));
        self.attributes.push(name.to_owned());
        self.attribute_ids.insert(name.to_owned(), id);
        id
    }

    /// The name of an entity type.
    #[must_use]
    pub fn type_name(&self, id: TypeId) -> &str {
        self.types.get(usize::from(id.0)).map_or("", String::as_str)
    }

    /// The name of an attribute.
    #[must_use]
    pub fn attribute_name(&self, id: Attr) -> &str {
        self.attributes.get(id.0 as usize).map_or("", String::as_str)
    }

    /// How many entity types there are.
    #[must_use]
    pub fn types(&self) -> usize {
        self.types.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Vocabulary};
    use crate::facts::kind::Kind;
    use crate::facts::symbol::TypeId;
    use crate::facts::value::Attr;

    #[test]
    fn kinds_and_facts_have_their_own_numbers() {
        let mut vocabulary = Vocabulary::default();
        for kind in Kind::ALL {
            assert_eq!(vocabulary.type_id(kind.name()), TypeId::from(kind));
        }
        assert_eq!(vocabulary.type_id("Action"), Vocabulary::ACTION);
        for (at, (fact, name)) in (0_u32..).zip(Fact::NAMES) {
            assert_eq!((Attr::from(fact), fact.name()), (Attr(at), name));
            assert_eq!(vocabulary.attribute(name), Attr(at));
        }
    }
}
