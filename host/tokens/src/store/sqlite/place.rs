//! The file and its folder: nobody but the owner may read or replace them.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::store::StoreError;

/// Bits of a mode that let others than the owner in.
const OTHERS: u32 = 0o077;

/// Bits of a folder's mode that let others than the owner replace what lies in it.
const OTHERS_WRITE: u32 = 0o022;

/// A file that was found fit, and which one it is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    log: PathBuf,
    bytes: u64,
    device: u64,
    inode: u64,
}

impl Place {
    /// Checks the file and its folder, and makes both where that is asked for.
    pub(super) fn prepare(path: &Path, create: bool) -> Result<Self, StoreError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if create {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| unfit(folder, format_args!("the folder cannot be made: {error}")))?;
            check_folder(folder)?;
            // Made with its mode, not changed to it: there is no moment at which others could open it. The files
            // that SQLite puts beside it get the same mode.
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            match made {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Err(StoreError::Full),
                Err(error) => return Err(unfit(path, format_args!("it cannot be made: {error}"))),
            }
        }
        let file = match fs::metadata(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_path_buf() });
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(unfit(path, "you may not read it: run this as its owner, or name another file"));
            }
            Err(error) => return Err(unfit(path, error)),
        };
        check_folder(folder)?;
        check_file(path, &file)?;
        // SQLite would take `file:...` for a URL, which may name a database in memory.
        let absolute = std::path::absolute(path).map_err(|error| unfit(path, error))?;
        // SQLite puts the log beside the file itself, wherever links lead to it from.
        let mut log = fs::canonicalize(path).map_err(|error| unfit(path, error))?.into_os_string();
        log.push("-wal");
        Ok(Self { path: absolute, log: log.into(), bytes: file.len(), device: file.dev(), inode: file.ino() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file held nothing when it was found.
    pub(super) fn was_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether nothing stands in the log beside the file.
    pub(super) fn has_no_log(&self) -> bool {
        fs::metadata(&self.log).map_or(true, |log| log.len() == 0)
    }

    /// The file lacks its log.
    pub(super) fn cut(&self) -> StoreError {
        StoreError::Cut { path: self.path.clone() }
    }

    /// Whether the file is still the one that was opened.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match fs::metadata(&self.path) {
            Ok(file) if file.dev() == self.device && file.ino() == self.inode => Ok(()),
            Ok(_) => Err(unfit(&self.path, "another file has taken its place: start again").into()),
            Err(error) => Err(unfit(&self.path, error).into()),
        }
    }
}

fn check_folder(folder: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(folder).map_err(|error| unfit(folder, error))?;
    if !found.is_dir() {
        return Err(unfit(folder, "it is not a folder"));
    }
    check_owner(folder, &found)?;
    if found.mode() & OTHERS_WRITE != 0 {
        let shown = folder.display();
        let why = format!(
            "others may write into its folder and put another file in its place: `chmod go-w {shown}`, or keep the store elsewhere"
        );
        return Err(unfit(folder, why));
    }
    Ok(())
}

fn check_file(path: &Path, file: &Metadata) -> Result<(), StoreError> {
    if !file.is_file() {
        return Err(unfit(path, "it is not a regular file"));
    }
    check_owner(path, file)?;
    if file.mode() & OTHERS != 0 {
        return Err(unfit(path, format_args!("others may read it: `chmod 600 {}`", path.display())));
    }
    Ok(())
}

fn check_owner(path: &Path, found: &Metadata) -> Result<(), StoreError> {
    let own = rustix::process::geteuid().as_raw();
    // What belongs to the system's administrator is as safe as the system.
    if found.uid() == own || found.uid() == 0 {
        return Ok(());
    }
    Err(unfit(path, format_args!("it belongs to another user (user id {})", found.uid())))
}

fn unfit(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Place { path: path.to_path_buf(), why: why.to_string() }
}
