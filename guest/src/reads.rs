//! The fields of a request, of which decisions say which they depend on.

use serde::{Deserialize, Serialize};

/// The fields of a request, by their names in its text, sorted. A decision points into this list.
pub const FIELDS: [&str; 14] = [
    "action",
    "attributes",
    "budget",
    "client_ip",
    "consumer_group",
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

/// A set of fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(u16);

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
