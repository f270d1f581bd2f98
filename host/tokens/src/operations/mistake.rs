//! What somebody asked for that cannot be done.

use cedargate::model::Timestamp;

use super::choose::Selector;
use crate::catalogue::NotInCatalogue;
use crate::period::Period;
use crate::secret::GenerateError;
use crate::store::StoreError;
use crate::token::{Allowance, SECRETS_LIVE_MAX};

/// What was asked for cannot be done. The text says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no such token.
    #[error("there is no token with the {0}: `kt tokens list` shows all")]
    NotFound(Selector),
    /// Several tokens had this name, and none of them is live.
    #[error("several tokens had the name `{name}` and none is live: name one with `--id` ({})", .ids.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The ids of the newest of them.
        ids: Vec<String>,
    },
    /// A live token has this name.
    #[error("a live token has the name `{0}`: take another, for example with the date, or revoke that one first")]
    NameInUse(String),
    /// A text that a person typed cannot be kept.
    #[error("{what} cannot be `{text}`: {why}")]
    Text {
        /// What the text is for.
        what: &'static str,
        /// The text, escaped and cut.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The expiry lies in the past.
    #[error("the expiry {expires_at} has passed, it is {now}: write a later one, or revoke the token to end it now")]
    ExpiryPast {
        /// What was asked for.
        expires_at: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// The expiry lies beyond what is configured.
    #[error("tokens last at most {max} here: write `--expires-in {max}` or less")]
    ExpiryTooLate {
        /// The longest life of a token.
        max: Period,
    },
    /// The token would become valid after it has expired.
    #[error("the token would be valid from {not_before} on and expire at {expires_at}: put the expiry later")]
    NeverValid {
        /// From when on.
        not_before: Timestamp,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The purpose and the principal type are no profile.
    #[error(
        "`{purpose}` with the principal type `{principal_type}` is not a profile of a token: use `general` or `integration` with `api_token`, or `gateway_runtime` with `gateway_runtime`"
    )]
    Purpose {
        /// The purpose.
        purpose: String,
        /// The principal type.
        principal_type: String,
    },
    /// A gateway's own token is bound to no gateway.
    #[error("a token of purpose `gateway_runtime` belongs to one gateway: name it with `--gateway-id`")]
    RuntimeWithoutGateway,
    /// A provider, a model or a group does not exist.
    #[error(transparent)]
    Unknown(#[from] NotInCatalogue),
    /// The policies cannot use the profile.
    #[error("the policies cannot use this token: {0}")]
    Profile(String),
    /// The profile is too long.
    #[error(
        "the token's profile has {bytes} bytes, and at most {max} are taken: name groups or providers in place of many models, and fewer, larger networks"
    )]
    ProfileTooLarge {
        /// How long it is.
        bytes: usize,
        /// How long at most.
        max: usize,
    },
    /// Too many things at once.
    #[error("there are {found} {what}, and at most {max} are taken")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many at most.
        max: usize,
    },
    /// Two budgets count the same.
    #[error("`{one}` and `{other}` are two budgets of one unit and one window: keep one of them")]
    BudgetTwice {
        /// One of them.
        one: Allowance,
        /// The other.
        other: Allowance,
    },
    /// The token was ended, which is for ever.
    #[error("the token `{0}` was revoked, which is final: create another")]
    Revoked(String),
    /// The token has expired.
    #[error("the token `{0}` has expired: give it time with `kt tokens edit --expires-in`, or create another")]
    Expired(String),
    /// The token has no such secret.
    #[error("the token `{name}` has no secret {version}: `kt tokens inspect` shows those that it has")]
    NoVersion {
        /// The name of the token.
        name: String,
        /// The secret.
        version: u32,
    },
    /// The token has as many secrets as it may.
    #[error(
        "the token `{name}` has {SECRETS_LIVE_MAX} secrets that are accepted: wait until {until}, or end one with `kt tokens revoke --version {oldest}`"
    )]
    TooManySecrets {
        /// The name of the token.
        name: String,
        /// The oldest of them.
        oldest: u32,
        /// When the next of them ends.
        until: Timestamp,
    },
    /// The idempotency key belongs to an earlier rotation.
    #[error("the key of this rotation was used at {at} for one that is over: take a new key for a new rotation")]
    RotationKeyUsed {
        /// When it was used first.
        at: Timestamp,
    },
    /// The secret that an earlier call with the same idempotency key made is in use.
    #[error(
        "secret {version}, which an earlier call with this idempotency key made, was presented at {used_at}: it is in use, and nothing was changed; take a new key for a new rotation"
    )]
    RotatedSecretUsed {
        /// Which secret that is.
        version: u32,
        /// When it was last presented.
        used_at: Timestamp,
    },
    /// Another call with the same idempotency key has just made a secret.
    #[error(
        "another call with this idempotency key has just made secret {version}, and nothing was changed: use its answer; if that was lost, call again at {again_at} or later"
    )]
    RotationUnderWay {
        /// Which secret that is.
        version: u32,
        /// When to call again where its answer was lost.
        again_at: Timestamp,
    },
    /// The grace period is too long.
    #[error("a grace period lasts at most {max}")]
    GraceTooLong {
        /// How long at most.
        max: Period,
    },
    /// The secret belongs to a token already.
    #[error("this secret is known already: a secret belongs to one token, for ever")]
    SecretKnown,
    /// No secret can be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The store cannot do it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::of_store(error, "")
    }
}

impl TokenError {
    /// What a store refused of a token with this name.
    pub(super) fn of_store(error: StoreError, name: &str) -> Self {
        match error {
            StoreError::NameTaken => Self::NameInUse(name.to_owned()),
            StoreError::SecretKnown => Self::SecretKnown,
            error => Self::Store(error),
        }
    }
}
