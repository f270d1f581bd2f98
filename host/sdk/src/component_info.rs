//! What a component is, without policies.

use std::time::Duration;

use crate::code_cache::CodeCache;
use crate::component::Component;
use crate::deadline::{Deadline, Patience};
use crate::engine::{CodeSource, Runtime};
use crate::error::{BuildError, LoadError};
use crate::instance::{Bounds, Guest};
use crate::policy_set::Abi;
use crate::stack;

/// What it may take to say what one is.
const INFO_MEMORY_BYTES: usize = 64 << 20;
const INFO_REPLY_BYTES: usize = 64 << 10;
const INFO_PATIENCE: Patience = Patience { cpu: Duration::from_secs(1), wall: Duration::from_secs(10) };

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
        let runtime = Runtime::shared(self, &CodeSource::Compiler(cache.clone()))?;
        let deadline = &mut Deadline::start(INFO_PATIENCE);
        let described = stack::with_enough(|| Guest::new(&runtime, bounds, deadline)?.abi(deadline));
        let text = described.map_err(LoadError::from)?;
        let Abi { contract, plugin, cedar_language } =
            Abi::read(&text).map_err(|cause| LoadError::Contract { cause })?;
        Ok(ComponentInfo {
            digest: self.digest().to_owned(),
            size: self.bytes().len(),
            contract,
            plugin,
            cedar_language,
        })
    }
}
