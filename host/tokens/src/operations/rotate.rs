//! New secrets for tokens that stay what they are.

use cedargate::model::Timestamp;

use super::Tokens;
use super::check::check_text;
use super::choose::Selector;
use super::create::after;
use super::mistake::TokenError;
use super::plan::TRIES_MAX;
use crate::period::Period;
use crate::secret::{Prefix, Secret};
use crate::store::StoreError;
use crate::token::{SECRETS_LIVE_MAX, SecretVersion, Token};

/// How long the old secret is accepted unless said otherwise.
pub const GRACE_DEFAULT: Period = Period::hours(24);

/// The longest grace period: 90 days, after which a key is due to be rotated anyway.
pub const GRACE_MAX: Period = Period::hours(90 * 24);

/// How long a call may be repeated with the key of the first. Later, a key that is used again is a mistake rather
/// than a lost answer.
const REPEAT_MAX: Period = Period::hours(24);

/// How old the secret of an earlier call must be before a call with the same key may put another in its place.
///
/// Of calls that are made at the same time, each finds those that were faster, whose answers are on their way to
/// whoever asked: these must not end.
///
/// That a secret is in use is known from the store, to which a gateway in another process writes: of the first request
/// that it admits within a tenth of a second, of one that it refuses within a second
/// ([`Recorder::note_use`](crate::Recorder::note_use), [`RecorderOptions`](crate::RecorderOptions)). What remains is a
/// first use that falls within this time before the repeated call, and a gateway that cannot write to the store.
pub const REPEAT_AFTER: Period = Period::seconds(5);

/// How to rotate.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// How long the old secret is accepted beside the new one; 0 ends it at once.
    pub grace: Period,
    /// Makes the call safe to repeat within a day where its answer was lost: the secret that the first call made
    /// stops working, a new one is returned, and the old secret's grace still counts from the first call. Where that
    /// secret was presented meanwhile, or is younger than [`REPEAT_AFTER`], nothing changes.
    pub idempotency_key: Option<String>,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { grace: GRACE_DEFAULT, idempotency_key: None }
    }
}

/// A token with a new secret.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The token.
    pub token: Token,
    /// Its new secret, which is not kept.
    pub secret: Secret,
    /// Which of the token's secrets that is.
    pub version: u32,
    /// Until when the old secret is accepted, unless there was none.
    pub grace_until: Option<Timestamp>,
    /// The secret that an earlier call with the same key made, and that stopped working.
    pub replaced: Option<u32>,
}

struct Made {
    secret: Secret,
    version: u32,
    grace_until: Option<Timestamp>,
    replaced: Option<u32>,
}

impl Tokens {
    /// Gives a token a new secret. Id, counters, budget and history stay.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::TooManySecrets`]; of a repeated call [`TokenError::RotationKeyUsed`],
    /// [`TokenError::RotatedSecretUsed`] and [`TokenError::RotationUnderWay`].
    pub async fn rotate(&self, selector: &Selector, rotation: &Rotation) -> Result<Rotated, TokenError> {
        let mut tries = 0;
        loop {
            let before = self.find(selector).await?;
            match self.rotate_as_is(before, rotation, self.now()).await {
                Err(TokenError::Store(StoreError::Conflict)) if tries < TRIES_MAX => tries += 1,
                done => return done,
            }
        }
    }

    /// Gives a token a new secret at this time if it is as it was.
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate), and [`StoreError::Conflict`] where it is not any more: have it decided again.
    pub async fn rotate_as_is(&self, before: Token, rotation: &Rotation, at: Timestamp) -> Result<Rotated, TokenError> {
        if rotation.grace > GRACE_MAX {
            return Err(TokenError::GraceTooLong { max: GRACE_MAX });
        }
        if let Some(key) = &rotation.idempotency_key {
            check_text("the idempotency key", key)?;
        }
        let mut token = before.clone();
        let Made { secret, version, grace_until, replaced } = rotate(&mut token, rotation, at)?;
        let token = self.replace("rotate", before, token, at).await?;
        Ok(Rotated { token, secret, version, grace_until, replaced })
    }
}

fn rotate(token: &mut Token, rotation: &Rotation, at: Timestamp) -> Result<Made, TokenError> {
    if token.revoked_at.is_some() {
        return Err(TokenError::Revoked(token.name.clone()));
    }
    if token.grant.expires_at.is_some_and(|expires_at| at >= expires_at) {
        return Err(TokenError::Expired(token.name.clone()));
    }
    let earlier = match &rotation.idempotency_key {
        Some(key) => earlier(token, key, at)?,
        None => None,
    };
    let grace_until = match earlier {
        Some(_) => grace_of_predecessor(token),
        None => supersede(token, rotation.grace, at)?,
    };
    let mut rotated_at = at;
    if let Some(version) = earlier
        && let Some(lost) = token.secrets.iter_mut().find(|secret| secret.version == version)
    {
        lost.revoked_at = Some(at);
        rotated_at = lost.rotated_at.unwrap_or(at);
    }
    let secret = Secret::generate(&prefix(token))?;
    let version = token.secrets.iter().map(|secret| secret.version).max().unwrap_or(0).saturating_add(1);
    token.secrets.push(SecretVersion {
        version,
        rotation_key: rotation.idempotency_key.clone(),
        rotated_at: Some(rotated_at),
        ..SecretVersion::first(secret.hash(), secret.public_part().to_owned(), at)
    });
    Ok(Made { secret, version, grace_until, replaced: earlier })
}

/// The secret that an earlier call with the same key made.
fn earlier(token: &Token, key: &str, at: Timestamp) -> Result<Option<u32>, TokenError> {
    let made = |secret: &&SecretVersion| secret.rotation_key.as_deref() == Some(key);
    let Some(last) = token.secrets.iter().rev().find(made) else { return Ok(None) };
    let first_at = last.rotated_at.unwrap_or(last.created_at);
    let is_current = token.current_secret().is_some_and(|current| current.version == last.version);
    if !is_current || at.saturating_since(first_at) > REPEAT_MAX.duration() {
        return Err(TokenError::RotationKeyUsed { at: first_at });
    }
    // A request that was refused was made by somebody who has the secret, too.
    if let Some(used_at) = last.last_used_at.max(last.last_refused_at) {
        return Err(TokenError::RotatedSecretUsed { version: last.version, used_at });
    }
    let again_at = after(last.created_at, REPEAT_AFTER);
    if at < again_at {
        return Err(TokenError::RotationUnderWay { version: last.version, again_at });
    }
    Ok(Some(last.version))
}

/// Ends the current secret after the grace period.
fn supersede(token: &mut Token, grace: Period, at: Timestamp) -> Result<Option<Timestamp>, TokenError> {
    let current = token.current_secret().map(|secret| secret.version);
    let until = after(at, grace);
    // With no grace, the current one makes room.
    let going = current.filter(|_| until <= at);
    let live: Vec<_> = token.live_secrets(at).filter(|secret| Some(secret.version) != going).collect();
    if live.len() >= SECRETS_LIVE_MAX
        && let Some(oldest) = live.first()
    {
        return Err(TokenError::TooManySecrets {
            name: token.name.clone(),
            oldest: oldest.version,
            until: live.iter().filter_map(|secret| secret.grace_until).min().unwrap_or(at),
        });
    }
    let found = token.secrets.iter_mut().find(|secret| Some(secret.version) == current);
    Ok(found.map(|secret| *secret.grace_until.insert(until)))
}

/// The end of the grace of the newest superseded secret.
fn grace_of_predecessor(token: &Token) -> Option<Timestamp> {
    token.secrets.iter().rev().find_map(|secret| secret.grace_until)
}

/// A new secret begins as the one before it.
fn prefix(token: &Token) -> Prefix {
    let last = token.secrets.iter().rev().find_map(|secret| Prefix::of_public_part(&secret.public_part));
    last.unwrap_or_else(|| Prefix { label: token.label, ..Prefix::default() })
}
