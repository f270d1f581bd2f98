//! Compiled code on disk, so that only the first start compiles.
//!
//! Code from a file is machine code that runs unchecked. It is taken only from a folder and a file that nobody
//! else can write to, read wholly into memory first, and only when the digest of those same bytes is the one
//! that was written with them. Anything odd means: compile again.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component as Code;

use crate::compiling::{Compiling, Told};
use crate::component::{Component, hex};
use crate::error::EngineError;
use crate::files::Folder;

/// Starts every file, with the version of this layout.
const MAGIC: &[u8; 16] = b"cedargate-code-2";

const DIGEST_BYTES: usize = 32;

/// Far above what a component compiles to, and little enough to read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The environment's name for the folder.
const CACHE_DIR: &str = "CEDARGATE_CACHE_DIR";

/// Where compiled code is kept.
#[derive(Clone, Default)]
pub struct CodeCache {
    place: Place,
    told: Option<Told>,
}

#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    User,
    Folder(PathBuf),
    None,
}

impl CodeCache {
    /// The user's own: `$CEDARGATE_CACHE_DIR`, else `$XDG_CACHE_HOME/cedargate`, else `~/.cache/cedargate`. The
    /// default.
    #[must_use]
    pub fn user() -> Self {
        Self { place: Place::User, told: None }
    }

    /// A folder of your choice. It and its parents must belong to the effective user or to root, and nobody else may
    /// be able to write to them; a folder of one's own in one that is sticky, as `/tmp` is, will do. Otherwise it is
    /// not used.
    #[must_use]
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(path.into()), told: None }
    }

    /// Nothing is kept: every start compiles, which takes some seconds.
    #[must_use]
    pub fn disabled() -> Self {
        Self { place: Place::None, told: None }
    }

    /// The same, and this is told when something is compiled, beside the log.
    #[must_use]
    pub fn telling(mut self, told: impl Fn(&Compiling<'_>) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// The folder, open, or why nothing is kept.
    pub(crate) fn open(&self) -> Result<Folder, String> {
        let absolute = |name: &str| named(name).filter(|path| path.is_absolute());
        let path = match &self.place {
            Place::None => return Err("it is to be kept nowhere".to_owned()),
            Place::Folder(path) => path.clone(),
            Place::User => named(CACHE_DIR)
                .or_else(|| absolute("XDG_CACHE_HOME").map(|cache| cache.join("cedargate")))
                .or_else(|| absolute("HOME").map(|home| home.join(".cache/cedargate")))
                .ok_or("there is no `$HOME`")?,
        };
        Folder::make(path).and_then(Folder::own).map_err(|distrust| distrust.to_string())
    }

    /// The code of a component: what is kept of it, where that can be trusted, or what it compiles to now.
    ///
    /// # Errors
    ///
    /// [`EngineError::Compile`], and [`EngineError::ExecutableMemory`] in either case.
    pub(crate) fn code(&self, engine: &Engine, component: &Component) -> Result<Code, EngineError> {
        let name = file_name(engine, component.digest());
        let place = self.open();
        if let Ok(folder) = &place {
            match load(folder, engine, &name)? {
                Ok(Some(code)) => return Ok(code),
                Ok(None) => {}
                Err(reason) => tracing::warn!(folder = %folder.path().display(), reason, "kept code is not taken"),
            }
        }
        let started = Instant::now();
        self.tell(&Compiling::Begins { place: place.as_ref().map(Folder::path).map_err(String::as_str) });
        let code = Code::from_binary(engine, component.bytes()).map_err(EngineError::compile)?;
        let elapsed = started.elapsed();
        let kept = place.as_ref().map_err(Clone::clone).and_then(|folder| store(folder, &name, &code).map(|()| folder));
        self.tell(&Compiling::Ended {
            elapsed,
            place: kept.as_ref().map(|folder| folder.path()).map_err(String::as_str),
        });
        Ok(code)
    }

    fn tell(&self, event: &Compiling<'_>) {
        match event {
            Compiling::Begins { place: Ok(_) } | Compiling::Ended { place: Ok(_), .. } => tracing::info!("{event}"),
            Compiling::Begins { place: Err(_) } | Compiling::Ended { place: Err(_), .. } => tracing::warn!("{event}"),
        }
        if let Some(told) = &self.told {
            told(event);
        }
    }
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodeCache").field(&self.place).finish()
    }
}

/// A path that the environment names.
fn named(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What is kept under this name, where there is something; a reason where it is not taken.
fn load(folder: &Folder, engine: &Engine, name: &str) -> Result<Result<Option<Code>, String>, EngineError> {
    let bytes = match folder.read(OsStr::new(name), FILE_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Ok(None)),
        Err(distrust) => return Ok(Err(distrust.to_string())),
    };
    match checked(&bytes, name).map(|code| deserialize(engine, code)) {
        Some(Ok(code)) => Ok(Ok(Some(code))),
        // Compiling again would end the same way.
        Some(Err(error @ EngineError::ExecutableMemory { .. })) => Err(error),
        Some(Err(error)) => Ok(Err(error.to_string())),
        None => Ok(Err("it is damaged".to_owned())),
    }
}

/// Keeps code; a reason where it cannot be kept.
fn store(folder: &Folder, name: &str, code: &Code) -> Result<(), String> {
    let bytes = code.serialize().map_err(|error| error.to_string())?;
    let digest = digest(&bytes, name);
    folder.write(OsStr::new(name), &[MAGIC, &digest, &bytes]).map_err(|distrust| distrust.to_string())
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
    use std::sync::Mutex;

    use tempfile::TempDir;

    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    const DIGEST: &str = "sha256:of-the-component";

    /// A folder of this test, in a shared one, with a cached file in it.
    struct Cached {
        folder: TempDir,
        file: PathBuf,
        engine: Engine,
    }

    impl Cached {
        fn new() -> Self {
            let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::default());
            let file = folder.path().join(file_name(&engine, DIGEST));
            let cached = Self { folder, file, engine };
            cached.store_in(&CodeCache::folder(cached.folder.path()));
            assert!(cached.loads());
            cached
        }

        fn store_in(&self, cache: &CodeCache) {
            let code = Code::from_binary(&self.engine, EMPTY).unwrap();
            store(&cache.open().unwrap(), &file_name(&self.engine, DIGEST), &code).unwrap();
        }

        fn loads(&self) -> bool {
            self.loads_from(&CodeCache::folder(self.folder.path()), DIGEST)
        }

        fn loads_from(&self, cache: &CodeCache, component: &str) -> bool {
            let name = file_name(&self.engine, component);
            cache.open().is_ok_and(|folder| matches!(load(&folder, &self.engine, &name).unwrap(), Ok(Some(_))))
        }
    }

    #[test]
    fn what_was_kept_is_loaded_for_the_same_component_only() {
        let cached = Cached::new();
        assert_eq!(fs::read_dir(cached.folder.path()).unwrap().count(), 1, "a temporary file was left");
        assert_eq!(fs::metadata(&cached.file).unwrap().permissions().mode() & 0o777, 0o600);
        let cache = CodeCache::folder(cached.folder.path());
        assert!(!cached.loads_from(&cache, "sha256:another"));
        assert!(!cached.loads_from(&CodeCache::disabled(), DIGEST));
    }

    #[test]
    fn a_file_or_folder_that_others_may_write_to_is_not_loaded() {
        let cached = Cached::new();
        for path in [cached.file.as_path(), cached.folder.path()] {
            let good = fs::metadata(path).unwrap().permissions();
            for bits in [0o020, 0o002, 0o1002] {
                fs::set_permissions(path, Permissions::from_mode(good.mode() | bits)).unwrap();
                assert!(!cached.loads(), "{path:?} {bits:o}");
            }
            fs::set_permissions(path, good).unwrap();
            assert!(cached.loads());
        }
    }

    #[test]
    fn a_parent_that_others_may_write_to_spoils_the_folder_unless_it_is_sticky() {
        let cached = Cached::new();
        let inner = CodeCache::folder(cached.folder.path().join("inner"));
        cached.store_in(&inner);
        for (mode, loads) in [(0o700, true), (0o777, false), (0o770, false), (0o1777, true), (0o755, true)] {
            fs::set_permissions(cached.folder.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(cached.loads_from(&inner, DIGEST), loads, "{mode:o}");
        }
    }

    #[test]
    fn no_file_is_reached_through_a_link_or_by_one_of_two_names() {
        let cached = Cached::new();
        let moved = cached.folder.path().join("moved");
        fs::rename(&cached.file, &moved).unwrap();
        symlink(&moved, &cached.file).unwrap();
        assert!(!cached.loads());
        fs::remove_file(&cached.file).unwrap();
        fs::hard_link(&moved, &cached.file).unwrap();
        assert!(!cached.loads(), "a file with two names");
    }

    #[test]
    fn other_content_and_half_a_file_are_not_loaded() {
        let cached = Cached::new();
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
        fs::remove_file(&cached.file).unwrap();
        fs::create_dir(&cached.file).unwrap();
        assert!(!cached.loads());
    }

    #[test]
    fn compiling_is_told_with_the_place_of_the_code_or_why_there_is_none() {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let telling = |cache: CodeCache| {
            let said = Arc::clone(&said);
            cache.telling(move |event| said.lock().unwrap().push(event.to_string()))
        };
        let component = Component::from_bytes(EMPTY);
        let engine = Engine::default();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/cache");
        let cache = telling(CodeCache::folder(&place));
        cache.code(&engine, &component).unwrap();
        let shown = place.display().to_string();
        let first = std::mem::take(&mut *said.lock().unwrap());
        assert!(first.len() == 2 && first.iter().all(|line| line.contains(&shown)), "{first:?}");
        assert!(first[0].starts_with("compiling the component") && first[1].starts_with("compiled the component in"));
        cache.code(&engine, &component).unwrap();
        assert!(said.lock().unwrap().is_empty(), "what is kept is taken");

        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        cache.code(&engine, &component).unwrap();
        let open = std::mem::take(&mut *said.lock().unwrap());
        let cure = format!("chmod go-w {}", folder.path().display());
        assert!(open.len() == 2 && open.iter().all(|line| line.contains(&cure)), "{open:?}");
        assert!(open[0].contains("at every start") && open[0].contains("CEDARGATE_CACHE_DIR"), "{open:?}");
    }
}
