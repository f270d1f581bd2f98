//! What is kept of a secret.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The SHA-256 of a whole secret as it is presented. A secret has at least 256 random bits, so that a fast hash
/// without salt tells nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretHash([u8; 32]);

impl Hash for SecretHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// The text is not a SHA-256 in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a SHA-256: write 64 hexadecimal digits, as `printf %s \"$KEY\" | sha256sum` prints them")]
pub struct SecretHashError;

impl SecretHash {
    pub(super) fn of(text: &str) -> Self {
        // What every request pays for. Written for each processor, it costs half of what compilers make of it.
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        // INVARIANT: a SHA-256 has 32 bytes.
        Self(digest.as_ref().try_into().unwrap_or_default())
    }

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is shown of a key of another system: `sha256:` and 12 digits of its hash.
    #[must_use]
    pub fn public_part(&self) -> String {
        let digits: String = self.0.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    }
}

impl FromStr for SecretHash {
    type Err = SecretHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::hex::decode(text.strip_prefix("sha256:").unwrap_or(text)).map(Self).ok_or(SecretHashError)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({}…)", self.public_part())
    }
}
