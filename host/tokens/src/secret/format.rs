//! How secrets look, and what is refused before any look-up.

use crc32fast::hash as crc32;

use super::base62;
use super::generate::EnvSegment;
use super::hash::SecretHash;

/// The regular expression of this system's secrets, for scanners of repositories and logs. What it finds is a
/// secret if the last six digits are also the CRC-32 of all that stands before them.
///
/// `kt_live_` or `kt_ENV_`, `kt_ak_ENV_` and `kt_gk_ENV_` for the older labels; then 10 public digits, 43 secret
/// ones and 6 of the checksum, all of base 62.
pub const SECRET_PATTERN: &str = r"\bkt_(?:(?:ak|gk)_)?[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{59}\b";

/// The longest secret that is looked at, in bytes. Keys of providers have up to some hundred; beyond this somebody
/// tries what we do with it.
pub const PRESENTED_BYTES_MAX: usize = 4096;

/// How every secret of this system begins.
pub(super) const SYSTEM: &str = "kt_";

/// Digits that may be shown in logs and to support.
pub(super) const PUBLIC_DIGITS: usize = 10;

/// Digits that nobody can guess: 62⁴³ is a little more than 2²⁵⁶.
pub(super) const SECRET_DIGITS: usize = 43;

/// Digits of the CRC-32: 62⁶ is more than 2³².
pub(super) const CHECK_DIGITS: usize = 6;

const BODY_DIGITS: usize = PUBLIC_DIGITS + SECRET_DIGITS + CHECK_DIGITS;

/// A text that is not a secret, and is not looked up.
///
/// None of these repeats the text: it may be a secret but for a typing mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Nothing was presented.
    #[error("the token is empty")]
    Empty,
    /// More than [`PRESENTED_BYTES_MAX`].
    #[error("the token is longer than {PRESENTED_BYTES_MAX} bytes")]
    TooLong,
    /// Blanks, control characters or anything that is not ASCII.
    #[error("the token holds a character that no token has: copy it again, without blanks and line ends")]
    Character,
    /// It begins as a secret of this system does, and goes on differently.
    #[error("the token is not whole: copy it again, from `kt_` to its last character")]
    Pattern,
    /// It looks like a secret of this system, and its checksum is another.
    #[error("the token has a mistake in it: copy it again, from `kt_` to its last character")]
    Checksum,
}

/// A text that may be looked up.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    text: &'a str,
    is_ours: bool,
}

impl<'a> Presented<'a> {
    /// Reads what a client presents. What begins with `kt_` must match [`SECRET_PATTERN`] and its checksum; keys of
    /// other systems (`gw_sk_...`, `sk-...`) are only required to be visible ASCII.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.len() > PRESENTED_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        // All are looked at, which is faster than to stop at the first.
        if !text.bytes().fold(true, |fits, byte| fits & byte.is_ascii_graphic()) {
            return Err(Malformed::Character);
        }
        let is_ours = text.starts_with(SYSTEM);
        if is_ours {
            check(text)?;
        }
        Ok(Self { text, is_ours })
    }

    /// Whether it is a secret of this system, which no other system takes.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// What it is looked up by.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.text)
    }

    /// What may be shown of it.
    pub(super) fn public_part(&self) -> String {
        match self.text.len().checked_sub(SECRET_DIGITS + CHECK_DIGITS) {
            Some(end) if self.is_ours => self.text.get(..end).unwrap_or(SYSTEM).to_owned(),
            _ => self.hash().public_part(),
        }
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presented({}…)", self.public_part())
    }
}

/// Pattern and checksum of a secret of this system. The text is ASCII.
fn check(text: &str) -> Result<(), Malformed> {
    let rest = text.strip_prefix(SYSTEM).ok_or(Malformed::Pattern)?;
    let rest = rest.strip_prefix("ak_").or_else(|| rest.strip_prefix("gk_")).unwrap_or(rest);
    let (env, body) = rest.split_once('_').ok_or(Malformed::Pattern)?;
    if !EnvSegment::is_one(env) || body.len() != BODY_DIGITS || !base62::is_base62(body.as_bytes()) {
        return Err(Malformed::Pattern);
    }
    let before = text.len().saturating_sub(CHECK_DIGITS);
    let (Some(covered), Some(found)) = (text.get(..before), text.get(before..)) else {
        return Err(Malformed::Pattern);
    };
    if checksum(covered) == *found.as_bytes() { Ok(()) } else { Err(Malformed::Checksum) }
}

/// The CRC-32 (IEEE 802.3) of a text, in [`CHECK_DIGITS`] digits.
pub(super) fn checksum(covered: &str) -> [u8; CHECK_DIGITS] {
    base62::number(crc32(covered.as_bytes()))
}
