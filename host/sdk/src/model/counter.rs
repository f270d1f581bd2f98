//! A budget or a rate, as the host counts it.

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::present::present;

/// The state of one budget or one rate. Where several windows count, pass the one with the least left.
///
/// It is exhausted when `requested > limit - spent`. All three lie between 0 and 2⁵³, in a unit of the host's
/// choice (tokens, requests, thousandths of a cent).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Counter {
    /// What may be spent in all.
    pub limit: u64,
    /// What was spent so far.
    pub spent: u64,
    /// What this request would spend.
    pub requested: u64,
    /// When `spent` falls to zero again.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

impl Counter {
    /// A counter that never resets.
    #[must_use]
    pub const fn new(limit: u64, spent: u64, requested: u64) -> Self {
        Self { limit, spent, requested, resets_at: None }
    }

    /// The same counter with a time at which `spent` falls to zero again.
    #[must_use]
    pub const fn resets_at(mut self, at: Timestamp) -> Self {
        self.resets_at = Some(at);
        self
    }

    /// Whether this request would spend more than is left.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        match self.limit.checked_sub(self.spent) {
            Some(left) => self.requested > left,
            // More was spent than the limit: even a request for nothing finds less than nothing.
            None => true,
        }
    }
}
