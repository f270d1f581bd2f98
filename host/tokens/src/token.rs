//! A token: a stable identity with what it may do, and the secrets that stand for it.

mod allowance;
mod facts;
mod grant;
mod status;
mod version;

use std::fmt;
use std::str::FromStr;

use cedargate::model::{Profile, Timestamp};
use serde::{Deserialize, Serialize};

use crate::secret::{GenerateError, push_random};

pub use allowance::{Allowance, AllowanceError, AllowanceKind, Unit, Window};
pub use grant::Grant;
pub(crate) use status::SecretState;
pub use status::{Status, UnknownStatus};
pub(crate) use version::state;
pub use version::{SECRETS_LIVE_MAX, SecretVersion};

/// Random digits of a token's id: 62¹⁶ ids are enough that two never meet.
const ID_DIGITS: usize = 16;

/// An older label of a token. It shows in the prefix of the secret and in lists, and decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// An access key, `kt_ak_...`.
    Access,
    /// A gateway key, `kt_gk_...`.
    Gateway,
}

impl Label {
    /// `access` or `gateway`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Label {
    type Err = UnknownLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "access" => Ok(Self::Access),
            "gateway" => Ok(Self::Gateway),
            _ => Err(UnknownLabel(text.chars().take(32).collect())),
        }
    }
}

/// The text is not a label.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a type of token: write `access` or `gateway`")]
pub struct UnknownLabel(String);

/// A token as the store knows it. Its id never changes; its secrets do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The stable id, `tok_...`. Counters, budgets and history are kept under it.
    pub id: String,
    /// A name for people, unique among live tokens.
    pub name: String,
    /// What the token is for.
    pub description: Option<String>,
    /// The older label under which it was made.
    pub label: Option<Label>,
    /// What it may do.
    pub grant: Grant,
    /// Budgets and rates of this token.
    pub allowances: Vec<Allowance>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is switched off.
    pub disabled_at: Option<Timestamp>,
    /// When it was revoked, all secrets at once.
    pub revoked_at: Option<Timestamp>,
    /// Its secrets, oldest first, ended ones too.
    pub secrets: Vec<SecretVersion>,
    /// When a request with any of its secrets was last admitted.
    pub last_used_at: Option<Timestamp>,
    /// When a request with any of its secrets was last refused.
    pub last_refused_at: Option<Timestamp>,
    /// Changes with every change of the token. Not with use.
    pub revision: i64,
}

impl Token {
    /// A new id.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] where the system gives no random numbers.
    pub fn new_id() -> Result<String, GenerateError> {
        let mut id = "tok_".to_owned();
        push_random(&mut id, ID_DIGITS)?;
        Ok(id)
    }

    /// The state of the token as a whole.
    #[must_use]
    pub fn status(&self, at: Timestamp) -> Status {
        if self.revoked_at.is_some() {
            return Status::Revoked;
        }
        if self.grant.expires_at.is_some_and(|expires_at| at >= expires_at) {
            return Status::Expired;
        }
        if self.disabled_at.is_some() {
            return Status::Disabled;
        }
        let mut best = Status::Revoked;
        for version in &self.secrets {
            best = match version.status(at) {
                Status::Active => return Status::Active,
                Status::InGrace => Status::InGrace,
                Status::Expired if best == Status::Revoked => Status::Expired,
                Status::Expired | Status::Revoked | Status::Disabled => best,
            };
        }
        best
    }

    /// The state of one of its secrets: what holds of the token as a whole holds of each.
    #[must_use]
    pub fn secret_status(&self, version: &SecretVersion, at: Timestamp) -> Status {
        match (version.status(at), self.status(at)) {
            (ended @ (Status::Revoked | Status::Expired), _) => ended,
            (_, whole @ (Status::Revoked | Status::Expired | Status::Disabled)) => whole,
            (own, Status::Active | Status::InGrace) => own,
        }
    }

    /// Whether the token was neither revoked nor has expired, so that its name is taken. It may be off, or without a
    /// secret that is accepted.
    #[must_use]
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.grant.expires_at.is_none_or(|expires_at| at < expires_at)
    }

    /// The secrets that are accepted at this time, as far as the secrets alone say.
    pub fn live_secrets(&self, at: Timestamp) -> impl Iterator<Item = &SecretVersion> {
        self.secrets.iter().filter(move |version| version.is_live(at))
    }

    /// The newest secret that was not revoked and not superseded.
    #[must_use]
    pub fn current_secret(&self) -> Option<&SecretVersion> {
        self.secrets.iter().rev().find(|version| version.revoked_at.is_none() && version.grace_until.is_none())
    }

    /// The profile of the token when this secret of it is presented.
    #[must_use]
    pub fn profile(&self, version: &SecretVersion) -> Profile {
        let state = version.state(self.disabled_at.is_some(), self.revoked_at.is_some());
        self.grant.profile(&self.id, &self.name, &self.allowances, state)
    }

    /// What lists show as the type: the label, or the purpose where there is none.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self.label {
            Some(label) => label.name(),
            None => &self.grant.purpose,
        }
    }
}
