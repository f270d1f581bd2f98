//! Compiled code on disk, so that only the first start compiles.
//!
//! Code from a file is machine code that runs unchecked. It is taken only from a folder and a file that nobody
//! else can write to, read wholly into memory first, and only when the digest of those same bytes is the one
//! that was written with them. Anything odd means: compile again.

use std::env;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component as Code;

use crate::component::hex;
use crate::error::EngineError;
use crate::trusted::{Distrust, TrustedFolder};

/// Starts every file, with the version of this layout.
const MAGIC: &[u8; 16] = b"cedargate-code-2";

const DIGEST_BYTES: usize = 32;

/// Far above what a component compiles to, and little enough to read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Where compiled code is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeCache {
    place: Place,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    User,
    Folder(PathBuf),
    None,
}

impl CodeCache {
    /// The user's own: `$XDG_CACHE_HOME/cedargate`, else `~/.cache/cedargate`. The default.
    #[must_use]
    pub fn user() -> Self {
        Self { place: Place::User }
    }

    /// A folder of your choice, with an absolute path without links. It and its parents must belong to the
    /// effective user (parents also to root) and must not be writable by anyone else; otherwise it is not used.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(path.into()) }
    }

    /// Nothing is kept: every start compiles, which takes some seconds.
    #[must_use]
    pub fn disabled() -> Self {
        Self { place: Place::None }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match &self.place {
            Place::None => None,
            Place::Folder(path) => Some(path.clone()),
            Place::User => absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("cedargate")),
        }
    }

    /// The compiled code of the component with this digest, where it can be trusted.
    ///
    /// # Errors
    ///
    /// [`EngineError::ExecutableMemory`], since compiling again would end the same way.
    pub(crate) fn load(&self, engine: &Engine, component: &str) -> Result<Option<Code>, EngineError> {
        let Some(path) = self.path() else { return Ok(None) };
        let name = file_name(engine, component);
        let read = || -> Result<Option<Vec<u8>>, Distrust> { TrustedFolder::open(&path)?.read(&name, FILE_BYTES_MAX) };
        match read() {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => match checked(&bytes, &name).map(|code| deserialize(engine, code)) {
                Some(Ok(code)) => Ok(Some(code)),
                Some(Err(error @ EngineError::ExecutableMemory { .. })) => Err(error),
                _ => {
                    tracing::warn!(folder = %path.display(), file = name, "compiled code is damaged: compiling again");
                    Ok(None)
                }
            },
            Err(reason) => {
                tracing::warn!(folder = %path.display(), %reason, "compiled code is not trusted: compiling again");
                Ok(None)
            }
        }
    }

    /// Keeps compiled code. What cannot be kept is compiled again at the next start.
    pub(crate) fn store(&self, engine: &Engine, component: &str, code: &Code) {
        let Some(path) = self.path() else { return };
        let name = file_name(engine, component);
        let bytes = match code.serialize() {
            Ok(bytes) => bytes,
            Err(error) => return tracing::warn!(%error, "compiled code cannot be written"),
        };
        let digest = digest(&bytes, &name);
        let write = || TrustedFolder::open(&path)?.write(&name, &[MAGIC, &digest, &bytes]);
        if let Err(reason) = write() {
            tracing::warn!(folder = %path.display(), %reason, "compiled code is not kept");
        }
    }
}

/// The key: the engine with all its settings, and the component.
fn file_name(engine: &Engine, component: &str) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut compatibility = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    compatibility.0.update(component.as_bytes());
    format!("{}.code", hex(&compatibility.0.finalize()))
}

/// The name belongs to what is digested, so that a file under another name is not taken for this one. BLAKE3, since
/// every start reads it all: on a machine without instructions for SHA-256 that would be most of the time of a start.
fn digest(code: &[u8], name: &str) -> [u8; DIGEST_BYTES] {
    *blake3::Hasher::new().update(name.as_bytes()).update(code).finalize().as_bytes()
}

fn checked<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (written, code) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<DIGEST_BYTES>()?;
    (digest(code, name) == *written).then_some(code)
}

#[expect(unsafe_code, reason = "compiled code is loaded, after all of the above")]
fn deserialize(engine: &Engine, code: &[u8]) -> Result<Code, EngineError> {
    // SAFETY: the bytes were written by `store` of this user: the folder, its parents and the file belong to him
    // or to root and can be written to by nobody else, as their open handles said, and these same bytes, in
    // memory of this process, have the digest that was written with them. The engine itself refuses code of
    // another version or other settings.
    unsafe { Code::deserialize(engine, code) }.map_err(EngineError::precompiled)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    const DIGEST: &str = "sha256:of-the-component";

    /// A folder of this test with a cached file in it. It lies in the target folder or at home: a shared temporary
    /// folder is what the cache refuses.
    struct Cached {
        folder: PathBuf,
        file: PathBuf,
        engine: Engine,
    }

    impl Cached {
        fn new(name: &str) -> Self {
            let own = |folder: &PathBuf| TrustedFolder::open(folder).is_ok();
            let target = Path::new(env!("OUT_DIR")).canonicalize().ok();
            let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/cedargate-tests"));
            let folder = target.into_iter().chain(home).find(own).unwrap().join(format!("cache-{name}"));
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
            let engine = Engine::default();
            let file = folder.join(file_name(&engine, DIGEST));
            let cached = Self { folder, file, engine };
            let code = Code::from_binary(&cached.engine, EMPTY).unwrap();
            CodeCache::folder(&cached.folder).store(&cached.engine, DIGEST, &code);
            assert!(cached.loads(), "is `{}` or a parent writable by others?", cached.folder.display());
            cached
        }

        fn loads(&self) -> bool {
            self.loads_from(&CodeCache::folder(&self.folder), DIGEST)
        }

        fn loads_from(&self, cache: &CodeCache, component: &str) -> bool {
            cache.load(&self.engine, component).unwrap().is_some()
        }
    }

    #[test]
    fn what_was_kept_is_loaded_for_the_same_component_only() {
        let cached = Cached::new("kept");
        assert_eq!(fs::read_dir(&cached.folder).unwrap().count(), 1, "a temporary file was left");
        assert_eq!(fs::metadata(&cached.file).unwrap().permissions().mode() & 0o777, 0o600);
        let cache = CodeCache::folder(&cached.folder);
        assert!(!cached.loads_from(&cache, "sha256:another"));
        assert!(!cached.loads_from(&CodeCache::disabled(), DIGEST));
    }

    #[test]
    fn a_file_or_folder_that_others_may_write_to_is_not_loaded() {
        let cached = Cached::new("writable");
        for path in [&cached.file, &cached.folder] {
            let good = fs::metadata(path).unwrap().permissions();
            for bit in [0o020, 0o002] {
                fs::set_permissions(path, Permissions::from_mode(good.mode() | bit)).unwrap();
                assert!(!cached.loads(), "{path:?} {bit:o}");
            }
            fs::set_permissions(path, good).unwrap();
            assert!(cached.loads());
        }
    }

    #[test]
    fn a_parent_that_others_may_write_to_spoils_the_folder_even_if_sticky() {
        let cached = Cached::new("parent");
        let inner = cached.folder.join("inner");
        let cache = CodeCache::folder(&inner);
        let code = Code::from_binary(&cached.engine, EMPTY).unwrap();
        cache.store(&cached.engine, DIGEST, &code);
        assert!(cached.loads_from(&cache, DIGEST));
        fs::set_permissions(&cached.folder, Permissions::from_mode(0o1777)).unwrap();
        assert!(!cached.loads_from(&cache, DIGEST));
    }

    #[test]
    fn links_are_not_followed() {
        let cached = Cached::new("links");
        let link = cached.folder.with_file_name("cache-links-link");
        let _ = fs::remove_file(&link);
        symlink(&cached.folder, &link).unwrap();
        assert!(!cached.loads_from(&CodeCache::folder(&link), DIGEST));
        let moved = cached.folder.join("moved");
        fs::rename(&cached.file, &moved).unwrap();
        symlink(&moved, &cached.file).unwrap();
        assert!(!cached.loads());
        fs::remove_file(&cached.file).unwrap();
        fs::hard_link(&moved, &cached.file).unwrap();
        assert!(!cached.loads(), "a file with two names");
    }

    #[test]
    fn other_content_and_half_a_file_are_not_loaded() {
        let cached = Cached::new("content");
        let good = fs::read(&cached.file).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let half = good.get(..good.len() / 2).unwrap();
        for bad in [flipped.as_slice(), half, b"", b"cedargate-code-2", &[0; 4096]] {
            fs::write(&cached.file, bad).unwrap();
            assert!(!cached.loads());
        }
        fs::write(&cached.file, &good).unwrap();
        assert!(cached.loads());
    }

    #[test]
    fn special_files_and_odd_paths_are_not_loaded() {
        let cached = Cached::new("special");
        fs::remove_file(&cached.file).unwrap();
        fs::create_dir(&cached.file).unwrap();
        assert!(!cached.loads());
        for path in ["relative/folder", "/tmp/../tmp/cedargate"] {
            assert!(!cached.loads_from(&CodeCache::folder(path), DIGEST), "{path}");
        }
    }
}
