//! Room that is kept for the end of tokens: a full disk keeps nobody from revoking a key that leaked.
//!
//! Beside the store lies a file that holds nothing. Whatever ends a token may take its room; everything else waits until
//! the file is whole again.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Room for some dozens of revocations one by one: each writes some pages of 4 KiB to the log, and its entry in the
/// audit log, which tells of a token twice.
pub(super) const RESERVE_BYTES: u64 = 512 << 10;

/// What is written: a file system may leave holes where there are only zeroes.
const FILLING: [u8; 4096] = [0x5a; 4096];

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn of(store: &Path) -> Self {
        let mut path = store.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into() }
    }

    /// Makes sure that there is room. Where the disk is full, there is none.
    pub(super) fn is_kept(&self) -> bool {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() >= RESERVE_BYTES) {
            return true;
        }
        let filled = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path).and_then(
            |mut file| {
                let blocks = RESERVE_BYTES.div_ceil(4096);
                (0..blocks).try_for_each(|_| file.write_all(&FILLING))?;
                file.sync_all()
            },
        );
        match filled {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                self.release();
                false
            }
            // A folder in which nothing can be made is no full disk.
            Err(error) => {
                tracing::debug!(path = %self.path.display(), %error, "no room is kept for revocations");
                true
            }
        }
    }

    /// Gives the room to whoever comes first.
    pub(super) fn release(&self) {
        // Where it is not there, there is nothing to give.
        let _ = fs::remove_file(&self.path);
    }
}
