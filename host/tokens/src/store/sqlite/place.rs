//! The file and its folder: nobody but the owner may read or replace them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cedargate::files::{Distrust, Folder, Found, Readers};

use super::failure::Failure;
use super::lineage::Files;
use crate::store::StoreError;

/// How the names of files go on that SQLite puts beside the store, and takes what it finds there for its own.
const BESIDE: [&str; 3] = [LOG, INDEX, "-journal"];

/// The one of them in which stands what is not in the file yet.
const LOG: &str = "-wal";

/// The one of them in which processes that share the store look for what stands in the log.
const INDEX: &str = "-shm";

/// How the names of all files of a store go on, its own first.
pub(super) const ENDINGS: [&str; 6] = ["", LOG, INDEX, "-journal", "-seen", "-reserve"];

/// Whether a path leads to the file of a store or to one that is kept beside it, under whatever name: what writes there
/// would destroy the store.
#[must_use]
pub fn is_file_of_store(path: &Path, store: &Path) -> bool {
    ENDINGS.into_iter().any(|ending| {
        let mut of_store = store.as_os_str().to_owned();
        of_store.push(ending);
        is_same_file(path, Path::new(&of_store))
    })
}

/// Whether two paths lead to the same file, or would where neither is there yet.
#[must_use]
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?))
    };
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => one == other || whole(one).is_some_and(|one| whole(other).is_some_and(|other| one == other)),
    }
}

/// A file that was found fit, and which one it is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// What was found there.
    file: Found,
    /// Whether it was made now.
    is_new: bool,
}

impl Place {
    /// Checks the file and its folder, and makes both where that is asked for.
    pub(super) fn prepare(path: &Path, create: bool) -> Result<Self, StoreError> {
        let wrong = |distrust: Distrust| match distrust.cause().map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) if !create => StoreError::Missing { path: path.to_path_buf() },
            Some(io::ErrorKind::StorageFull) => StoreError::Full,
            Some(io::ErrorKind::PermissionDenied) => {
                unfit(path, format_args!("{distrust}: run this as its owner, or name another file"))
            }
            _ => unfit(path, distrust),
        };
        let name = path.file_name().ok_or_else(|| unfit(path, "it is not a regular file"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let folder = if create { Folder::make(folder) } else { Folder::open(folder) };
        // SQLite opens its files by their names.
        let folder = folder.and_then(Folder::own).map_err(wrong)?;
        // Made with its mode, not changed to it: there is no moment at which others could open it. The files that SQLite
        // puts beside it get the same mode.
        let is_new = create && folder.touch(name).map_err(wrong)?;
        let file = folder.look(name, Readers::Owner).map_err(wrong)?;
        let file = file.ok_or_else(|| StoreError::Missing { path: path.to_path_buf() })?;
        let beside = |ending: &str| {
            let mut beside = name.to_owned();
            beside.push(ending);
            beside
        };
        for ending in BESIDE {
            folder.look(&beside(ending), Readers::Owner).map_err(wrong)?;
        }
        // Whole paths: SQLite would take `file:...` for a URL, which may name a database in memory.
        Ok(Self { path: folder.path().join(name), file, is_new })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was made when it was prepared.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the file was there, and held nothing.
    pub(super) fn was_empty(&self) -> bool {
        !self.is_new && self.file.bytes == 0
    }

    /// Takes a file away that was made now and is no store yet: left there, it would be taken for one that was emptied.
    pub(super) fn take_back(&self) {
        if self.is_new && fs::metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            // Where it cannot be taken away, whoever opens it next is told that it is empty.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether nothing stands in the log beside the file.
    pub(super) fn has_no_log(&self) -> bool {
        fs::metadata(self.beside(LOG)).map_or(true, |log| log.len() == 0)
    }

    /// The file holds nothing.
    pub(super) fn empty(&self) -> StoreError {
        StoreError::Empty { path: self.path.clone() }
    }

    /// The file lacks its log.
    pub(super) fn cut(&self) -> StoreError {
        StoreError::Cut { path: self.path.clone() }
    }

    /// Makes sure that the file is still the one that was opened, and says when it was written, in nanoseconds.
    pub(super) fn check(&self) -> Result<i64, Failure> {
        match fs::metadata(&self.path) {
            Ok(file) if (file.dev(), file.ino()) == (self.file.device, self.file.inode) => {
                Ok(file.mtime().wrapping_mul(1_000_000_000).wrapping_add(file.mtime_nsec()))
            }
            Ok(_) => Err(unfit(&self.path, "another file has taken its place: start again").into()),
            Err(error) => Err(unfit(&self.path, error).into()),
        }
    }

    /// Whether another file has taken its place.
    pub(super) fn was_replaced(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) != (self.file.device, self.file.inode))
    }

    /// Which files lie there.
    pub(super) fn files(&self) -> Files {
        let number = |ending| fs::metadata(self.beside(ending)).map_or(0, |file| file.ino());
        Files { file: self.file.inode, log: number(LOG), index: number(INDEX) }
    }

    /// Parts with the log of a file that lay here before, and is gone: what stands in it is no change of this one.
    pub(super) fn part_with(&self, seen: Files) -> Result<(), StoreError> {
        if seen.file == self.file.inode {
            return Ok(());
        }
        for (ending, number) in [(LOG, seen.log), (INDEX, seen.index)] {
            let path = self.beside(ending);
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            if found.ino() != number {
                continue;
            }
            let parted = if ending == LOG && found.len() > 0 {
                let kept = self.beside(&format!("{ending}.replaced-{}", std::process::id()));
                tracing::warn!(path = %kept.display(), "the log of a token store that is gone was set aside");
                fs::rename(&path, kept)
            } else {
                fs::remove_file(&path)
            };
            parted.map_err(|error| unfit(&path, error))?;
        }
        Ok(())
    }

    /// A file that is kept beside it.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }
}

fn unfit(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Place { path: path.to_path_buf(), why: why.to_string() }
}
