//! What SQLite says, in this crate's words.

use sqlx::Error;

use super::place::Place;
use crate::store::StoreError;

/// Primary result codes of SQLite, <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
    /// The file that connections share beside the store cannot grow.
    pub(super) const IOERR_SHMSIZE: i32 = IOERR | 19 << 8;
}

/// An error on the way to a [`StoreError`].
#[derive(Debug)]
pub(super) enum Failure {
    /// Said by this crate.
    Store(StoreError),
    /// Said by the database.
    Database(Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// Whether there is no room left.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error, StoreError::Full),
            Self::Database(Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
                code == code::IOERR_SHMSIZE || code & 0xff == code::FULL
            }
            Self::Database(_) => false,
        }
    }

    /// The error for whoever uses the store.
    pub(super) fn at(self, place: &Place) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Database(error) => error,
        };
        match error {
            Error::PoolTimedOut => StoreError::Busy,
            Error::Io(error) => StoreError::Failed(error.to_string()),
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => StoreError::invalid(error),
            Error::Database(error) => {
                let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
                match code & 0xff {
                    _ if code == code::IOERR_SHMSIZE => StoreError::Full,
                    code::BUSY | code::LOCKED => StoreError::Busy,
                    code::READONLY => StoreError::ReadOnly,
                    code::CORRUPT => StoreError::Corrupt,
                    code::FULL => StoreError::Full,
                    code::NOTADB => StoreError::Foreign { path: place.path().to_path_buf() },
                    code::CANTOPEN => StoreError::Place {
                        path: place.path().to_path_buf(),
                        why: "the file, or those that SQLite needs beside it, cannot be opened: check the folder's permissions".to_owned(),
                    },
                    code::IOERR => StoreError::Failed(format!("the file system says {error}")),
                    _ => StoreError::Failed(error.to_string()),
                }
            }
            error => StoreError::Failed(error.to_string()),
        }
    }
}
