//! `policies.lock`: the names and SHA-256 digests of a bundle's files, as `sha256sum` writes them.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::bundle::BundleError;
use crate::component::hex;

/// Between a digest and a name.
const SEPARATOR: &str = "  ";

/// The lock of these files: one line each, sorted by name.
pub(crate) fn text(files: &BTreeMap<String, String>) -> String {
    files.iter().map(|(name, text)| format!("{}{SEPARATOR}{name}\n", digest(text))).collect()
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Compares files with a lock.
pub(crate) fn check(lock: &str, files: &BTreeMap<String, String>) -> Result<(), BundleError> {
    let mut locked = read(lock)?;
    let mut mismatch = LockMismatch::default();
    for (name, text) in files {
        match locked.remove(name.as_str()) {
            None => mismatch.added.push(name.clone()),
            Some(digest_then) if digest_then != digest(text) => mismatch.changed.push(name.clone()),
            Some(_) => {}
        }
    }
    mismatch.missing.extend(locked.into_keys().map(str::to_owned));
    if mismatch.is_empty() { Ok(()) } else { Err(mismatch.into()) }
}

fn read(lock: &str) -> Result<BTreeMap<&str, &str>, BundleError> {
    let mut locked = BTreeMap::new();
    for (n, line) in lock.lines().enumerate() {
        let invalid = |detail| BundleError::LockInvalid { line: n.saturating_add(1), detail };
        let (digest, name) = line.split_once(SEPARATOR).ok_or_else(|| invalid("not a digest and a name"))?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_digest {
            return Err(invalid("not a SHA-256 in lower-case hexadecimal"));
        }
        if locked.insert(name, digest).is_some() {
            return Err(invalid("a file that stands twice"));
        }
    }
    Ok(locked)
}

/// The files that differ from `policies.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockMismatch {
    changed: Vec<String>,
    missing: Vec<String>,
    added: Vec<String>,
}

impl LockMismatch {
    /// Files with another content.
    #[must_use]
    pub fn changed(&self) -> &[String] {
        &self.changed
    }

    /// Files that the lock names and that are not there.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Files that the lock does not name.
    #[must_use]
    pub fn added(&self) -> &[String] {
        &self.added
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.added.is_empty()
    }
}

impl fmt::Display for LockMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the folder is not the one that `policies.lock` names:")?;
        for (word, files) in [("changed", &self.changed), ("missing", &self.missing), ("not named", &self.added)] {
            for file in files {
                write!(f, " {word} `{file}`,")?;
            }
        }
        f.write_str(" copy the folder whole, or accept it with `kt policy lock`")
    }
}

impl std::error::Error for LockMismatch {}
