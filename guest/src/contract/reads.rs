//! The fields of a request, of which decisions say which they depend on.

use serde::{Deserialize, Serialize};

/// The fields of a request, by their names in its text, sorted. A decision points into this list.
///
/// `current` by itself says whether the token as it is was handed over; its fields have names of their own, so that
/// a host that decides about many tokens knows what they have to have in common.
pub const FIELDS: [&str; 32] = [
    "action",
    "attributes",
    "budget",
    "client_ip",
    "consumer_group",
    "current",
    "current.attributes",
    "current.bindings.consumer_group",
    "current.bindings.gateway_id",
    "current.bindings.models",
    "current.bindings.networks",
    "current.bindings.providers",
    "current.bindings.scopes",
    "current.budgets",
    "current.expires_at",
    "current.id",
    "current.name",
    "current.not_before",
    "current.org_id",
    "current.principal_type",
    "current.purpose",
    "current.roles",
    "current.team_id",
    "gateway_id",
    "model",
    "org_id",
    "provider",
    "rate",
    "target",
    "team_budget",
    "team_id",
    "team_rate",
];

/// What stands before the names of the fields of `current`.
const CURRENT: &str = "current.";

/// What stands before the names of its bindings.
const CURRENT_BINDINGS: &str = "current.bindings.";

/// A set of fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(u64);

impl Fields {
    /// Every field.
    pub const ALL: Self = Self((1 << FIELDS.len()) - 1);

    /// The field of this name alone; nothing for a name that is none.
    #[must_use]
    pub fn named(name: &str) -> Self {
        FIELDS.binary_search(&name).map_or(Self(0), |at| Self(1 << at))
    }

    /// The host's counters.
    #[must_use]
    pub fn counters() -> Self {
        ["budget", "team_budget", "rate", "team_rate"].iter().fold(Self(0), |all, name| all.or(Self::named(name)))
    }

    /// The token as it is: whether it is there, and all of it.
    #[must_use]
    pub fn current() -> Self {
        Self::named("current").or(Self::below(CURRENT))
    }

    /// All bindings of the token as it is.
    #[must_use]
    pub fn current_bindings() -> Self {
        Self::below(CURRENT_BINDINGS)
    }

    fn below(prefix: &str) -> Self {
        let within = FIELDS.iter().filter(|name| name.starts_with(prefix));
        within.fold(Self(0), |all, name| all.or(Self::named(name)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields of either set.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The fields of this set that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places of these fields in [`FIELDS`], in a list.
    #[must_use]
    pub fn to_places(self) -> Vec<u32> {
        let mut places = Vec::with_capacity(self.0.count_ones() as usize);
        places.extend(self.places());
        places
    }

    /// The places of these fields in [`FIELDS`], ascending.
    pub fn places(self) -> impl Iterator<Item = u32> {
        (0..FIELDS.len()).filter(move |at| self.0 & (1 << at) != 0).filter_map(|at| u32::try_from(at).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, Fields};

    #[test]
    fn every_field_is_found_by_its_name() {
        assert!(FIELDS.is_sorted());
        for (at, name) in FIELDS.iter().enumerate() {
            assert_eq!(Fields::named(name).places().collect::<Vec<_>>(), [u32::try_from(at).unwrap()], "{name}");
        }
        assert_eq!(Fields::current().places().count(), 18);
        assert_eq!(Fields::current_bindings().places().count(), 6);
    }
}
