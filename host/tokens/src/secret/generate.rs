//! New secrets.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::format::{CHECK_DIGITS, PUBLIC_DIGITS, SECRET_DIGITS, SYSTEM, checksum};
use super::{Secret, base62};
use crate::token::Label;

/// Random bytes that are fetched at a time: a few of them give no fair digit.
const RANDOM_BYTES: usize = 64;

/// The system's source of randomness failed, so that no secret can be made.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers, so that no secret can be made: {0}")]
pub struct GenerateError(#[from] getrandom::Error);

/// What stands before the digits of a secret. It tells people where a secret belongs and has no effect on what the
/// token may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// The older label, if any: `ak` for access, `gk` for gateway.
    pub label: Option<Label>,
    /// Where the secret is used: `live`, `prod`, `test`.
    pub env: EnvSegment,
}

impl Prefix {
    /// The prefix of a secret of this system, read from what may be shown of it.
    pub(crate) fn of_public_part(public_part: &str) -> Option<Self> {
        let end = public_part.len().checked_sub(PUBLIC_DIGITS)?;
        let segments = public_part.get(..end)?.strip_prefix(SYSTEM)?.strip_suffix('_')?;
        let (label, env) = match segments.split_once('_') {
            Some(("ak", env)) => (Some(Label::Access), env),
            Some(("gk", env)) => (Some(Label::Gateway), env),
            Some(_) => return None,
            None => (None, segments),
        };
        Some(Self { label, env: env.parse().ok()? })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = match self.label {
            None => "",
            Some(Label::Access) => "ak_",
            Some(Label::Gateway) => "gk_",
        };
        write!(f, "{SYSTEM}{label}{}_", self.env)
    }
}

/// The segment of a prefix that says where a secret is used: a small letter, then up to 15 small letters and
/// digits; not `ak` or `gk`, which are labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSegment(String);

impl EnvSegment {
    pub(super) fn is_one(text: &str) -> bool {
        let form = text.len() <= 16
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        form && text != "ak" && text != "gk"
    }
}

impl Default for EnvSegment {
    fn default() -> Self {
        Self("live".to_owned())
    }
}

impl fmt::Display for EnvSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a segment of a prefix.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` cannot stand in a secret's prefix: write up to 16 small letters and digits, a letter first, for example `prod`"
)]
pub struct EnvSegmentError(String);

impl FromStr for EnvSegment {
    type Err = EnvSegmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::is_one(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(EnvSegmentError(text.chars().take(32).collect()))
        }
    }
}

impl Secret {
    /// A new secret with at least 256 random bits.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] where the system gives no random numbers.
    pub fn generate(prefix: &Prefix) -> Result<Self, GenerateError> {
        let prefix = prefix.to_string();
        // Never reallocated, so that no copy of a part is left behind.
        let length = prefix.len() + PUBLIC_DIGITS + SECRET_DIGITS + CHECK_DIGITS;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&prefix);
        push_random(&mut text, PUBLIC_DIGITS)?;
        let public = text.as_str().to_owned();
        push_random(&mut text, SECRET_DIGITS)?;
        let check = checksum(&text);
        text.extend(check.map(char::from));
        Ok(Self { text, public })
    }
}

/// Appends random digits, each as likely as any other.
pub(crate) fn push_random(text: &mut String, digits: usize) -> Result<(), GenerateError> {
    let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
    let mut left = digits;
    while left > 0 {
        getrandom::fill(bytes.as_mut())?;
        let wanted = left;
        for digit in bytes.iter().filter_map(|byte| base62::fair_digit(*byte)).take(wanted) {
            text.push(digit);
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}
