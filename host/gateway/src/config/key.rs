//! The gateway's own key at a provider.

use std::fmt;
use std::path::Path;

use http::HeaderValue;

use super::Dialect;

/// Bytes of a key: the longest in use are signed tokens of some kilobytes.
const KEY_BYTES_MAX: usize = 8 << 10;

/// A provider's key. It is a header's value, and is never printed.
#[derive(Clone)]
pub struct ProviderKey {
    header: HeaderValue,
}

impl fmt::Debug for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderKey(***)")
    }
}

impl ProviderKey {
    /// A key for this dialect's header.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with it, without the key.
    pub fn new(key: &str, dialect: Dialect) -> Result<Self, &'static str> {
        let key = key.trim();
        if key.is_empty() {
            return Err("it is empty");
        }
        if key.len() > KEY_BYTES_MAX {
            return Err("it is longer than 8 KiB");
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds something else than visible ASCII characters");
        }
        let text = match dialect {
            Dialect::OpenAi | Dialect::Echo => format!("Bearer {key}"),
            Dialect::Anthropic | Dialect::Azure | Dialect::Gemini => key.to_owned(),
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| "it is not fit for a header")?;
        header.set_sensitive(true);
        Ok(Self { header })
    }

    pub(super) fn from_env(name: &str, dialect: Dialect) -> Result<Self, String> {
        let key = std::env::var(name).map_err(|_| "the variable is not set, or is not UTF-8".to_owned())?;
        Self::new(&key, dialect).map_err(str::to_owned)
    }

    pub(super) fn from_file(path: &Path, dialect: Dialect) -> Result<Self, String> {
        let key = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::new(&key, dialect).map_err(str::to_owned)
    }

    /// The value of the header that carries it.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}
