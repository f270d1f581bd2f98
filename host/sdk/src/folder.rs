//! Reads a bundle's folder, notices whether it is the same as before, and writes its lock.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::bundle::BundleError;
use crate::layout;

/// Folders in each other. Beyond it a link most likely leads in circles.
const DEPTH_MAX: usize = 16;

/// Entries of all folders together, files that are not part of the bundle included.
const ENTRIES_MAX: usize = 100_000;

/// Bytes of a lock: it names no more files than a folder may hold.
const LOCK_BYTES_MAX: u64 = 16 << 20;

/// The files of a bundle by name.
pub(crate) type Files = BTreeMap<String, String>;

/// Reads the files of a bundle, and its lock where there is one.
pub(crate) fn read(folder: &Path, bytes_max: u64) -> Result<(Files, Option<String>), BundleError> {
    let mut reader = Reader { files: Files::new(), bytes: 0, bytes_max };
    walk(folder, &mut |file| {
        let text = reader.file(file.path, &file.name)?;
        reader.files.insert(file.name, text);
        Ok(())
    })?;
    let lock = reader.files.remove(layout::LOCK);
    Ok((reader.files, lock))
}

/// What a bundle's folder looked like at one time.
///
/// Two looks that are equal saw the same files: none was changed, added, removed, replaced or moved into place in
/// between, whatever its time says. Cheap beside reading the folder: of all files but the lock, which is read, only
/// the system's record of them is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderStamp {
    digest: [u8; 32],
}

impl FolderStamp {
    /// Looks at a folder.
    ///
    /// # Errors
    ///
    /// [`BundleError`] where a file cannot be looked at or does not belong in a bundle. What the files hold is not
    /// looked at.
    pub fn of(folder: impl AsRef<Path>) -> Result<Self, BundleError> {
        let mut reader = Reader { files: Files::new(), bytes: 0, bytes_max: LOCK_BYTES_MAX };
        let mut seen = BTreeMap::new();
        walk(folder.as_ref(), &mut |Found { path, name, file }| {
            // A lock in place on a network may be another one before the system's record of it says so.
            let lock = if name == layout::LOCK { reader.file(path, &name)? } else { String::new() };
            let (changed, made) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
            seen.insert(name, (file.dev(), file.ino(), file.len(), changed, made, lock));
            Ok(())
        })?;
        let mut digest = Sha256::new();
        for (name, record) in seen {
            digest.update(format!("{name:?} {record:?}\n"));
        }
        Ok(Self { digest: digest.finalize().into() })
    }
}

/// A file that belongs to a bundle, or its lock.
struct Found<'a> {
    /// Where its bytes are, after all links.
    path: &'a Path,
    /// Its name in the bundle.
    name: String,
    /// The system's record of it.
    file: &'a Metadata,
}

type Visit<'v> = &'v mut dyn FnMut(Found<'_>) -> Result<(), BundleError>;

/// Shows each file that belongs to the bundle in a folder, and its lock.
fn walk(folder: &Path, visit: Visit<'_>) -> Result<(), BundleError> {
    let root = folder.canonicalize().map_err(|cause| io_error("read", folder, cause))?;
    let mut walk = Walk { root, entries: 0, visit };
    walk.folder(&walk.root.clone(), "", 0)
}

struct Walk<'v> {
    root: PathBuf,
    entries: usize,
    visit: Visit<'v>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), BundleError> {
        if depth > DEPTH_MAX {
            return Err(BundleError::TooMany { detail: format!("`{prefix}` lies {depth} folders deep") });
        }
        for entry in fs::read_dir(folder).map_err(|cause| io_error("read", folder, cause))? {
            let entry = entry.map_err(|cause| io_error("read", folder, cause))?;
            self.entries = self.entries.saturating_add(1);
            if self.entries > ENTRIES_MAX {
                return Err(BundleError::TooMany { detail: format!("more than {ENTRIES_MAX} files") });
            }
            let name = entry.file_name();
            let shown = format!("{prefix}{}", name.to_string_lossy());
            if shown.rsplit('/').next().is_some_and(|last| last.starts_with('.')) {
                continue;
            }
            let path = self.inside(&entry.path(), &shown)?;
            let file = fs::metadata(&path).map_err(|cause| io_error("read", &path, cause))?;
            if file.is_dir() {
                self.folder(&path, &format!("{shown}/"), depth.saturating_add(1))?;
            } else if !file.is_file() {
                return Err(BundleError::SpecialFile { file: shown });
            } else if shown == layout::LOCK || layout::kind(&shown).is_some() {
                if name.to_str().is_none() {
                    return Err(BundleError::NotUtf8 { file: shown });
                }
                (self.visit)(Found { path: &path, name: shown, file: &file })?;
            }
        }
        Ok(())
    }

    /// What the path leads to, which must lie in the folder.
    fn inside(&self, path: &Path, shown: &str) -> Result<PathBuf, BundleError> {
        let target = path.canonicalize().map_err(|cause| io_error("read", path, cause))?;
        if target.starts_with(&self.root) {
            Ok(target)
        } else {
            Err(BundleError::LinkOutside { file: shown.to_owned() })
        }
    }
}

struct Reader {
    files: Files,
    bytes: u64,
    bytes_max: u64,
}

impl Reader {
    fn file(&mut self, path: &Path, shown: &str) -> Result<String, BundleError> {
        let failed = |cause| io_error("read", path, cause);
        let file = open(path).map_err(failed)?;
        // Asked of the open file: what lay there a moment ago may have been replaced by a pipe.
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(BundleError::SpecialFile { file: shown.to_owned() });
        }
        let left = self.bytes_max.saturating_sub(self.bytes);
        let mut bytes = Vec::new();
        let read = file.take(left.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read > left {
            return Err(BundleError::TooLarge { limit: self.bytes_max });
        }
        self.bytes = self.bytes.saturating_add(read);
        String::from_utf8(bytes).map_err(|_| BundleError::NotUtf8 { file: shown.to_owned() })
    }
}

/// Opens a file for reading, without waiting where it is a pipe and without following a link.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Writes a file so that a reader sees the old one or the new one, never a part.
pub(crate) fn write_whole(folder: &Path, name: &str, text: &str) -> Result<PathBuf, BundleError> {
    let path = folder.join(name);
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        // Whoever reads the policies reads their lock, and nobody else ever writes to it. What a process of this
        // number left behind is in nobody's way, and a link that was put there leads nowhere.
        let mut new = OpenOptions::new();
        new.write(true).create_new(true).mode(0o644);
        let mut file = match new.open(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(&temporary)?;
                new.open(&temporary)?
            }
            opened => opened?,
        };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    match written {
        Ok(()) => Ok(path),
        Err(cause) => {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
            Err(io_error("write", &path, cause))
        }
    }
}

fn io_error(action: &'static str, path: &Path, cause: io::Error) -> BundleError {
    BundleError::Io { action, path: path.to_owned(), cause }
}
