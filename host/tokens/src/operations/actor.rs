//! In whose name something is done.

use std::fmt;

use super::check::{self, TEXT_BYTES_MAX};

/// In whose name something is done, as the audit log keeps it: `local:alice`, `token:tok_...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

/// The text cannot stand for somebody.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot stand in the audit log: write 1 to {TEXT_BYTES_MAX} bytes without control characters")]
pub struct ActorError(String);

impl Actor {
    /// Somebody.
    ///
    /// # Errors
    ///
    /// [`ActorError`] where the text is empty, too long or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, ActorError> {
        let text = text.into();
        if check::is_plain(&text) { Ok(Self(text)) } else { Err(ActorError(text.escape_debug().take(64).collect())) }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
