//! One secret of a token.

use cedargate::model::Timestamp;

use super::status::{SecretState, Status};
use crate::secret::SecretHash;

/// Secrets of one token that may be accepted at a time: the current one, the one before it, and one more for a
/// rotation that begins before the last has ended.
pub const SECRETS_LIVE_MAX: usize = 3;

/// One secret of a token, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVersion {
    /// 1 for the first secret, one more with each rotation.
    pub version: u32,
    /// What the secret is looked up by.
    pub hash: SecretHash,
    /// What may be shown of it.
    pub public_part: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Set once a newer secret has superseded this one: it is accepted until just before this moment.
    pub grace_until: Option<Timestamp>,
    /// When it was revoked by itself.
    pub revoked_at: Option<Timestamp>,
    /// The idempotency key of the rotation that made it.
    pub rotation_key: Option<String>,
    /// When the rotation with that key was first asked for.
    pub rotated_at: Option<Timestamp>,
    /// When a request with it was last admitted.
    pub last_used_at: Option<Timestamp>,
    /// When a request with it was last refused.
    pub last_refused_at: Option<Timestamp>,
}

impl SecretVersion {
    /// The first secret of a token.
    #[must_use]
    pub fn first(hash: SecretHash, public_part: String, created_at: Timestamp) -> Self {
        Self {
            version: 1,
            hash,
            public_part,
            created_at,
            grace_until: None,
            revoked_at: None,
            rotation_key: None,
            rotated_at: None,
            last_used_at: None,
            last_refused_at: None,
        }
    }

    /// The state of this secret, as far as it does not depend on the token:
    /// [`Token::secret_status`](super::Token::secret_status) says the whole.
    #[must_use]
    pub fn status(&self, at: Timestamp) -> Status {
        match (self.revoked_at, self.grace_until) {
            (Some(_), _) => Status::Revoked,
            (None, Some(grace_until)) if at >= grace_until => Status::Expired,
            (None, Some(_)) => Status::InGrace,
            (None, None) => Status::Active,
        }
    }

    /// Whether it is accepted at this time, as far as the secret alone says.
    #[must_use]
    pub fn is_live(&self, at: Timestamp) -> bool {
        matches!(self.status(at), Status::Active | Status::InGrace)
    }

    /// What a decision needs to know of it.
    pub(crate) fn state(&self, disabled: bool, revoked: bool) -> SecretState {
        state(disabled, revoked || self.revoked_at.is_some(), self.grace_until)
    }
}

/// The state of a secret from what is stored of it and of its token.
pub(crate) fn state(disabled: bool, revoked: bool, grace_until: Option<Timestamp>) -> SecretState {
    let status = match (revoked, disabled, grace_until) {
        (true, _, _) => Status::Revoked,
        (false, true, _) => Status::Disabled,
        (false, false, Some(_)) => Status::InGrace,
        (false, false, None) => Status::Active,
    };
    SecretState { status, grace_until }
}
