//! The state of a token or of a secret at a time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a token or of a secret at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted.
    Active,
    /// Superseded by a newer secret, and accepted until its grace period ends.
    InGrace,
    /// Switched off for now.
    Disabled,
    /// Ended by somebody.
    Revoked,
    /// Ended by time.
    Expired,
}

impl Status {
    /// `active`, `in_grace`, `disabled`, `revoked` or `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::InGrace => "in_grace",
            Self::Disabled => "disabled",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not a status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status: write `active`, `in_grace`, `disabled`, `revoked` or `expired`")]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::InGrace, Self::Disabled, Self::Revoked, Self::Expired]
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| UnknownStatus(text.chars().take(32).collect()))
    }
}

/// What is stored of the state of a secret, which does not depend on the time: the component compares times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SecretState {
    /// One of the words of a profile's `status`.
    pub(crate) status: Status,
    /// The end of the grace period of a superseded secret.
    pub(crate) grace_until: Option<cedargate::model::Timestamp>,
}
