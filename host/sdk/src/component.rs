//! The component whose decisions are asked for.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::code_cache::CodeCache;
use crate::engine::Runtime;
use crate::error::{BuildError, LoadError};
use crate::instance::{Bounds, Guest};
use crate::policy_set::Abi;
use crate::stack;

/// What it may take to say what one is.
const INFO_MEMORY_BYTES: usize = 64 << 20;
const INFO_REPLY_BYTES: usize = 64 << 10;
const INFO_DEADLINE: Duration = Duration::from_secs(1);

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

/// What a component says of itself, and what its bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentInfo {
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// Its size in bytes.
    pub size: usize,
    /// The version of the contract that it keeps.
    pub contract: String,
    /// Its own version.
    pub plugin: String,
    /// The version of the Cedar language that it evaluates.
    pub cedar_language: String,
}

/// Describes the component that is built into this crate. Compiles it, or takes it from the user's cache.
///
/// # Errors
///
/// [`BuildError`] as [`PdpBuilder::build`](crate::PdpBuilder::build).
pub fn component_info() -> Result<ComponentInfo, BuildError> {
    Component::built_in().info(&CodeCache::user())
}

impl Component {
    /// Describes this component. Compiles it, or takes it from the cache.
    ///
    /// # Errors
    ///
    /// [`BuildError`] as [`PdpBuilder::build`](crate::PdpBuilder::build).
    pub fn info(&self, cache: &CodeCache) -> Result<ComponentInfo, BuildError> {
        let bounds = Bounds { memory_bytes: INFO_MEMORY_BYTES, reply_bytes: INFO_REPLY_BYTES };
        let runtime = Runtime::shared(self, cache, None)?;
        let described = stack::with_enough(|| Guest::new(&runtime, bounds, INFO_DEADLINE)?.abi(INFO_DEADLINE));
        let text = described.map_err(LoadError::from)?;
        let Abi { contract, plugin, cedar_language } =
            Abi::read(&text).map_err(|cause| LoadError::Contract { cause })?;
        Ok(ComponentInfo { digest: self.digest().to_owned(), size: self.bytes.len(), contract, plugin, cedar_language })
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
