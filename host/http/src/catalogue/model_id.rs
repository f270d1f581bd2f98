//! The id of a model, as a client writes it.

use std::fmt;

/// The longest id, in bytes: what the policies' own limit admits.
pub const ID_BYTES_MAX: usize = 256;

/// The longest id of a provider, in bytes, as bindings read it.
const PROVIDER_BYTES_MAX: usize = 64;

/// An id of a model that has one reading wherever it goes: in a body, a path, a log or a policy.
///
/// It is visible ASCII without `*`, `%`, quotes and backslashes, and no part between its slashes is empty, `.` or
/// holds `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    text: Box<str>,
}

/// Why a text is no id of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelIdError {
    /// There is nothing.
    #[error("the model's id is empty")]
    Empty,
    /// It is longer than [`ID_BYTES_MAX`].
    #[error("the model's id is longer than 256 bytes")]
    Long,
    /// It holds a blank, a control character or something beyond ASCII.
    #[error("the model's id holds a blank, a control character or a character beyond ASCII")]
    Character,
    /// It holds `*`, `%`, `?`, a quote, an angle bracket, a backquote or a backslash.
    #[error("the model's id holds `*`, `%`, `?` or another character that ids do not have")]
    Mark,
    /// A part between its slashes is empty, is `.`, or holds `..`.
    #[error("the model's id holds `..`, or a part between its slashes is empty or `.`")]
    Parts,
}

impl ModelId {
    /// Checks an id.
    ///
    /// # Errors
    ///
    /// [`ModelIdError`], the first rule that the text breaks.
    pub fn new(text: &str) -> Result<Self, ModelIdError> {
        if text.is_empty() {
            return Err(ModelIdError::Empty);
        }
        if text.len() > ID_BYTES_MAX {
            return Err(ModelIdError::Long);
        }
        for byte in text.bytes() {
            match byte {
                b'*' | b'%' | b'?' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' => return Err(ModelIdError::Mark),
                0x21..=0x7e => {}
                _ => return Err(ModelIdError::Character),
            }
        }
        if text.contains("..") || text.split('/').any(|part| matches!(part, "" | ".")) {
            return Err(ModelIdError::Parts);
        }
        Ok(Self { text: text.into() })
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Provider and model, split at the first slash, where the part before it can be a provider's id.
    #[must_use]
    pub fn split(&self) -> Option<(&str, &str)> {
        self.text.split_once('/').filter(|(provider, _)| is_provider_id(provider))
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text can be a provider's id: `[a-z0-9][a-z0-9._-]{0,63}`.
#[must_use]
pub fn is_provider_id(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(word);
    first
        && text.len() <= PROVIDER_BYTES_MAX
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'_' | b'-'))
}
