//! The classes of decisions.

use std::fmt;

/// The class of a decision, in the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No decision could be made: 503.
    Unavailable,
    /// What the client asked for cannot be decided: 400.
    RequestInvalid,
    /// The identity does not hold: 401.
    Unauthenticated,
    /// A policy could not be evaluated: 503.
    PolicyError,
    /// A policy forbids: 403.
    Forbidden,
    /// No policy permits: 403.
    NotPermitted,
    /// A budget or a rate is exhausted: 429.
    Throttled,
    /// Admitted.
    Allowed,
}

impl Outcome {
    /// All outcomes, in the order of the contract's numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::RequestInvalid,
        Self::Unauthenticated,
        Self::PolicyError,
        Self::Forbidden,
        Self::NotPermitted,
        Self::Throttled,
        Self::Allowed,
    ];

    /// The name in the contract's texts, for example `not_permitted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::RequestInvalid => "request_invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::PolicyError => "policy_error",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Throttled => "throttled",
            Self::Allowed => "allowed",
        }
    }

    /// Whether the request is admitted.
    #[must_use]
    pub const fn is_allow(self) -> bool {
        matches!(self, Self::Allowed)
    }

    /// Whether the deciding policy gives status, code and message.
    pub(crate) const fn has_policy(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Forbidden | Self::Throttled)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The status where neither a policy nor the set's table gives one.
    pub(crate) const fn default_status(self) -> u16 {
        match self {
            Self::Unavailable | Self::PolicyError => 503,
            Self::RequestInvalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::NotPermitted => 403,
            Self::Throttled => 429,
            Self::Allowed => 200,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
