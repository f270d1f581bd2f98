//! The secret of a token: what a client presents, and what is kept of it.

mod base62;
mod format;
mod generate;
mod hash;
mod mask;

use std::fmt;

use zeroize::Zeroizing;

pub use format::{Malformed, PRESENTED_BYTES_MAX, Presented, SECRET_PATTERN};
pub(crate) use generate::push_random;
pub use generate::{EnvSegment, EnvSegmentError, GenerateError, Prefix};
pub use hash::{SecretHash, SecretHashError};
pub(crate) use mask::holds_secret;
pub use mask::mask_secrets;

/// The text of a secret. `Debug` and `Display` show the public part and nothing else.
///
/// ```
/// use cedargate_tokens::{Prefix, Secret};
///
/// let secret = Secret::generate(&Prefix::default())?;
/// assert!(secret.expose().starts_with("kt_live_"));
/// assert!(!format!("{secret:?} {secret}").contains(secret.expose()));
/// # Ok::<(), cedargate_tokens::GenerateError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: Zeroizing<String>,
    public: String,
}

impl Secret {
    /// A secret that somebody presents, of this system or of another.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where it can be no secret: see [`Presented::parse`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let presented = Presented::parse(text)?;
        Ok(Self { text: Zeroizing::new(text.to_owned()), public: presented.public_part() })
    }

    /// The secret itself, to be shown once to whoever asked for it. It belongs in no log, error or event.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What may be shown of it: prefix and public part, or the beginning of the hash of another system's key.
    #[must_use]
    pub fn public_part(&self) -> &str {
        &self.public
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.public)
    }
}
