//! Reads a bundle's folder, and writes its lock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::bundle::BundleError;
use crate::layout;

/// Folders in each other. Beyond it a link most likely leads in circles.
const DEPTH_MAX: usize = 16;

/// Entries of all folders together, files that are not part of the bundle included.
const ENTRIES_MAX: usize = 100_000;

/// The files of a bundle by name.
pub(crate) type Files = BTreeMap<String, String>;

/// Reads the files of a bundle, and its lock where there is one.
pub(crate) fn read(folder: &Path, bytes_max: u64) -> Result<(Files, Option<String>), BundleError> {
    let root = folder.canonicalize().map_err(|cause| io_error("read", folder, cause))?;
    let mut reader = Reader { root, files: Files::new(), entries: 0, bytes: 0, bytes_max };
    reader.folder(&reader.root.clone(), "", 0)?;
    let lock = reader.files.remove(layout::LOCK);
    Ok((reader.files, lock))
}

struct Reader {
    root: PathBuf,
    files: Files,
    entries: usize,
    bytes: u64,
    bytes_max: u64,
}

impl Reader {
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
            let kind = fs::metadata(&path).map_err(|cause| io_error("read", &path, cause))?.file_type();
            if kind.is_dir() {
                self.folder(&path, &format!("{shown}/"), depth.saturating_add(1))?;
            } else if !kind.is_file() {
                return Err(BundleError::SpecialFile { file: shown });
            } else if shown == layout::LOCK || layout::kind(&shown).is_some() {
                if name.to_str().is_none() {
                    return Err(BundleError::NotUtf8 { file: shown });
                }
                let text = self.file(&path, &shown)?;
                self.files.insert(shown, text);
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
        let mut file = File::create(&temporary)?;
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
