//! The gateway's own key at a provider.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use http::HeaderValue;

use super::Dialect;
use super::problem::{Place, Problem};

/// Bytes of a key: the longest in use are signed tokens of some kilobytes.
const KEY_BYTES_MAX: usize = 8 << 10;

/// Bytes of blanks and line ends around a key in a file. More is not read: the file may have no end.
const FILE_BLANKS_MAX: u64 = 16;

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

    /// The value of the header that carries it.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

/// Where a provider's key is kept. It is not printed either: somebody may have written the key itself there.
#[derive(Clone)]
pub struct KeptKey {
    kept: Kept,
    /// Where the configuration says so.
    place: Place,
}

/// Where a secret is kept.
#[derive(Clone)]
pub(super) enum Kept {
    /// In the environment's variable of this name.
    Env(String),
    /// In this file.
    File(PathBuf),
}

impl Kept {
    /// The secret as it is now.
    pub(super) fn read(&self) -> Result<String, String> {
        match self {
            Self::Env(name) => from_env(name),
            Self::File(path) => from_file(path),
        }
    }
}

impl fmt::Debug for KeptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptKey(***)")
    }
}

impl KeptKey {
    pub(super) fn in_env(name: String, place: Place) -> Self {
        Self { kept: Kept::Env(name), place }
    }

    pub(super) fn in_file(path: PathBuf, place: Place) -> Self {
        Self { kept: Kept::File(path), place }
    }

    /// The key of this provider as it is now.
    pub(super) fn read(&self, provider: &str, dialect: Dialect) -> Result<ProviderKey, Problem> {
        let help = match &self.kept {
            Kept::Env(_) => "set the variable, or name another in `key_env`",
            Kept::File(_) => "write the key into the file, or name another in `key_file`",
        };
        let key = self.kept.read().and_then(|text| ProviderKey::new(&text, dialect).map_err(str::to_owned));
        key.map_err(|cause| Problem::at(self.place.clone(), format!("the key of provider `{provider}`: {cause}"), help))
    }
}

fn from_env(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| "the variable is not set, or is not UTF-8".to_owned())
}

fn from_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let limit = u64::try_from(KEY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(FILE_BLANKS_MAX);
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(limit).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
