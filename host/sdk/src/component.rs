//! The component whose decisions are asked for.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

/// The bytes of a decision component, with their digest.
///
/// The default is the one that is built into this crate.
#[derive(Clone)]
pub struct Component {
    bytes: Cow<'static, [u8]>,
    digest: Cow<'static, str>,
}

impl Component {
    /// The component that is built into this crate.
    #[must_use]
    pub const fn built_in() -> Self {
        Self {
            bytes: Cow::Borrowed(cedargate_component::COMPONENT),
            digest: Cow::Borrowed(cedargate_component::DIGEST),
        }
    }

    /// A component of your own. Whether it keeps the contract shows when a [`Pdp`](crate::Pdp) is built.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
        Self { bytes: Cow::Owned(bytes), digest: Cow::Owned(digest) }
    }

    /// The component itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the bytes in hexadecimal, with `sha256:` before it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl Default for Component {
    fn default() -> Self {
        Self::built_in()
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("digest", &self.digest).field("bytes", &self.bytes.len()).finish()
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}
