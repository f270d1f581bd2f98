//! A folder that nobody else can write to, used through open handles only.
//!
//! Every part of the path is opened without following links and asked, on its handle, who owns it and who may
//! write. What cannot be trusted is not an error: the caller does without.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, fsync, mkdirat, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Write permission of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a folder or a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("{0}")]
    System(#[from] Errno),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the path is not absolute, or has `..` in it")]
    Path,
    #[error("`{0}` is not owned by this user")]
    Owner(String),
    #[error("`{0}` can be written to by others: `chmod go-w` it")]
    Writable(String),
    #[error("not a regular file with one name")]
    Kind,
    #[error("larger than {0} bytes")]
    Size(u64),
}

/// An open folder whose every parent can be trusted.
pub(crate) struct TrustedFolder {
    handle: OwnedFd,
}

impl TrustedFolder {
    /// Opens a folder, part by part from the root. Missing parts are made, for this user only.
    pub(crate) fn open(path: &Path) -> Result<Self, Distrust> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut parts = path.components();
        if parts.next() != Some(Component::RootDir) {
            return Err(Distrust::Path);
        }
        let mut handle = open("/", flags, Mode::empty())?;
        check_parent(&fstat(&handle)?, OsStr::new("/"))?;
        for part in parts {
            let Component::Normal(name) = part else { return Err(Distrust::Path) };
            handle = match openat(&handle, name, flags, Mode::empty()) {
                Ok(handle) => handle,
                Err(Errno::NOENT) => {
                    match mkdirat(&handle, name, Mode::RWXU) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    openat(&handle, name, flags, Mode::empty())?
                }
                Err(error) => return Err(error.into()),
            };
            check_parent(&fstat(&handle)?, name)?;
        }
        // The folder itself: a parent may be root's, this may not.
        let stat = fstat(&handle)?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(Distrust::Owner(path.display().to_string()));
        }
        Ok(Self { handle })
    }

    /// Reads a file wholly into memory of this process; `None` where there is none.
    pub(crate) fn read(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, Distrust> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&handle)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() || stat.st_nlink != 1 {
            return Err(Distrust::Kind);
        }
        if stat.st_uid != geteuid().as_raw() {
            return Err(Distrust::Owner(name.to_owned()));
        }
        if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
            return Err(Distrust::Writable(name.to_owned()));
        }
        let mut bytes = Vec::new();
        let read = File::from(handle).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(read).unwrap_or(u64::MAX) > bytes_max {
            return Err(Distrust::Size(bytes_max));
        }
        Ok(Some(bytes))
    }

    /// Writes a file under a temporary name, syncs it and renames it.
    pub(crate) fn write(&self, name: &str, parts: &[&[u8]]) -> Result<(), Distrust> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = OsString::from(format!(".{name}.{}.{number}", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = openat(&self.handle, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let written = self.fill(File::from(handle), parts).and_then(|()| {
            renameat(&self.handle, &temporary, &self.handle, name)?;
            Ok(fsync(&self.handle)?)
        });
        if written.is_err() {
            // The first error is the one to report.
            let _ = unlinkat(&self.handle, &temporary, AtFlags::empty());
        }
        written
    }

    fn fill(&self, mut file: File, parts: &[&[u8]]) -> Result<(), Distrust> {
        for part in parts {
            file.write_all(part)?;
        }
        Ok(file.sync_all()?)
    }
}

/// A folder on the way belongs to this user or to root, and nobody else may write to it. The sticky bit does not
/// help: in a shared temporary folder anyone may put the next part of the path in place first.
fn check_parent(stat: &Stat, name: &OsStr) -> Result<(), Distrust> {
    let shown = || name.to_string_lossy().into_owned();
    if stat.st_uid != geteuid().as_raw() && stat.st_uid != 0 {
        return Err(Distrust::Owner(shown()));
    }
    if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(Distrust::Writable(shown()));
    }
    Ok(())
}
