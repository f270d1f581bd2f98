//! Compiled policy sets on disk, so that a start with policies that were loaded before parses and validates nothing.
//!
//! What is kept decides requests, so it is trusted like policies: it lies beside the compiled code, in a folder and a
//! file that nobody else can write to, and is taken only when its digest is the one that was written with it and its
//! key names this component and this very bundle. Anything odd means: load the bundle.

use std::ffi::OsStr;

use sha2::{Digest, Sha256};

use crate::code_cache::CodeCache;
use crate::files::Folder;
use crate::policy_set::Compiled;

/// Starts every file, with the version of this layout.
const MAGIC: &[u8; 16] = b"cedargate-set-01";

/// There are so many files at most: a set takes the place of another that has the same one.
const FILES: u8 = 32;

/// A larger set is loaded at every start.
const FILE_BYTES_MAX: u64 = 64 << 20;

type Hash = [u8; 32];

/// The place of one set.
pub(crate) struct SetCache<'c> {
    cache: &'c CodeCache,
    key: Hash,
    name: String,
}

impl<'c> SetCache<'c> {
    /// The place of a bundle's text in a component with this digest.
    pub(crate) fn new(cache: &'c CodeCache, component: &str, bundle: &str) -> Self {
        let size = u64::try_from(component.len()).unwrap_or(u64::MAX).to_le_bytes();
        let key: Hash = Sha256::new().chain_update(size).chain_update(component).chain_update(bundle).finalize().into();
        let [first, ..] = key;
        Self { cache, key, name: format!("{:02}.set", first % FILES) }
    }

    /// The set, where it is kept and can be trusted.
    pub(crate) fn load(&self) -> Option<Compiled> {
        let bytes = self.cache.open().ok()?.read(OsStr::new(&self.name), FILE_BYTES_MAX).ok()??;
        let (digest, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (info, image) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*size)).ok()?)?;
        let right = *key == self.key && self.digest(info, image) == *digest;
        right.then(|| Some(Compiled { info: String::from_utf8(info.to_vec()).ok()?, image: image.to_vec() }))?
    }

    /// Keeps a set. What cannot be kept is loaded again at the next start.
    pub(crate) fn store(&self, set: &Compiled) {
        let (info, image) = (set.info.as_bytes(), set.image.as_slice());
        let (Ok(size), Ok(bytes)) = (u64::try_from(info.len()), u64::try_from(info.len().saturating_add(image.len())))
        else {
            return;
        };
        if bytes > FILE_BYTES_MAX / 2 {
            return;
        }
        let digest = self.digest(info, image);
        let size = size.to_le_bytes();
        let parts: [&[u8]; 6] = [MAGIC, &digest, &self.key, &size, info, image];
        let write =
            |folder: Folder| folder.write(OsStr::new(&self.name), &parts).map_err(|distrust| distrust.to_string());
        if let Err(reason) = self.cache.open().and_then(write) {
            tracing::debug!(reason, "a compiled policy set is not kept");
        }
    }

    fn digest(&self, info: &[u8], image: &[u8]) -> Hash {
        let size = u64::try_from(info.len()).unwrap_or(u64::MAX).to_le_bytes();
        let parts: [&[u8]; 5] = [self.name.as_bytes(), &self.key, &size, info, image];
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_set_is_kept_for_its_component_and_bundle_only() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::folder(folder.path());
        let kept = SetCache::new(&cache, "component", "bundle");
        assert!(kept.load().is_none());
        kept.store(&Compiled { info: "info".to_owned(), image: vec![1, 2, 3] });
        let found = kept.load().unwrap();
        assert_eq!((found.info.as_str(), found.image.as_slice()), ("info", [1, 2, 3].as_slice()));
        for (component, bundle) in [("other", "bundle"), ("component", "other"), ("componentb", "undle")] {
            assert!(SetCache::new(&cache, component, bundle).load().is_none());
        }
        assert!(SetCache::new(&CodeCache::disabled(), "component", "bundle").load().is_none());
    }

    #[test]
    fn what_was_changed_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::folder(folder.path());
        let kept = SetCache::new(&cache, "component", "bundle");
        kept.store(&Compiled { info: "info".to_owned(), image: vec![7; 64] });
        let file = folder.path().join(&kept.name);
        let good = fs::read(&file).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&file, &bad).unwrap();
            assert!(kept.load().is_none(), "byte {at}");
        }
        for length in [0, 15, 48, 80, 87, 90, good.len() - 1] {
            fs::write(&file, &good[..length]).unwrap();
            assert!(kept.load().is_none(), "{length} bytes");
        }
        fs::write(&file, &good).unwrap();
        assert!(kept.load().is_some());
    }
}
