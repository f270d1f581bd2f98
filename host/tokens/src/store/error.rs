//! What can be wrong with a store.

use std::path::PathBuf;

use cedargate::model::Timestamp;

use crate::audit::Tampered;
use crate::store::Replacement;

/// The store cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file, and it was not to be made.
    #[error("there is no token store `{path}`: `kt tokens create --store {path}` makes it")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file or its folder cannot be used.
    #[error("cannot use the token store `{path}`: {why}")]
    Place {
        /// The file or the folder.
        path: PathBuf,
        /// What is wrong, with a cure.
        why: String,
    },
    /// The file is no store of this system.
    #[error("`{path}` is not a token store: name another file with `--store`")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is there, and holds nothing.
    #[error(
        "the token store `{path}` is an empty file: put back a backup with `kt store restore`, or, where it never was one, remove it, so that a new store is made"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is not all of the store: what was written last stood in the log beside it.
    #[error(
        "the token store `{path}` is not whole: what was stored last stood in `{path}-wal`, which is not beside it; put that file there too, or put back a backup with `kt store restore` (a store in use is copied with `kt store backup`)"
    )]
    Cut {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("the token store was written by a newer version (format {found}, this one knows {known}): update `kt`")]
    Newer {
        /// The format of the file.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// The clock lies far ahead of everything that is stored.
    #[error(
        "the clock says {now}, and the newest time in the token store is {newest}: a time that is stored once cannot be taken back; set the clock right, or, where it is, pass `--accept-clock` (to revoke and to disable is possible without)"
    )]
    ClockAhead {
        /// What the clock says.
        now: Timestamp,
        /// The newest time of the store.
        newest: Timestamp,
    },
    /// The file or its file system may only be read.
    #[error(
        "the token store can only be read: check that its file system is mounted for writing, and that the file is yours to write"
    )]
    ReadOnly,
    /// There is no room left.
    #[error("there is no room left for the token store: make room on its file system")]
    Full,
    /// The file is damaged.
    #[error("the token store is damaged: restore it from a backup, or save what is left with `sqlite3 FILE .recover`")]
    Corrupt,
    /// The store is older than what was seen of it, or another one.
    #[error(
        "the token store was replaced: {0}; put the right file back, or a backup with `kt store restore`, or accept this one with `--accept-store`"
    )]
    Replaced(Replacement),
    /// A check found the file damaged.
    #[error("the token store `{path}` is damaged ({what}): put back a backup with `kt store restore`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found first.
        what: String,
    },
    /// A file that is there is not to be written over.
    #[error("`{path}` is there already: name another file, or write over it with `--replace`")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A backup would be written over the store that it is one of.
    #[error("`{path}` is the token store itself, or a file that is kept beside it: name another file for its backup")]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// A backup would be written over something else than a backup.
    #[error(
        "`{path}` is not a backup of a token store, and is not written over: name another file, or remove this one"
    )]
    NoBackup {
        /// What is there.
        path: PathBuf,
    },
    /// Another process has the store open.
    #[error("another process has the token store `{path}` open: end the gateways that use it, and try again")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// What is to be put in the place of a store does not fit its own log of changes.
    #[error("`{path}` is not put in place: {tampered}")]
    Tampered {
        /// The file.
        path: PathBuf,
        /// What was found.
        tampered: Tampered,
    },
    /// Another process holds the store for too long.
    #[error("another process holds the token store: try again")]
    Busy,
    /// A token was changed by somebody else at the same time.
    #[error("the token was changed by somebody else at the same time: try again")]
    Conflict,
    /// The name of a token is taken by a live one.
    #[error("a live token has this name")]
    NameTaken,
    /// A secret is known already.
    #[error("this secret is known already")]
    SecretKnown,
    /// A stored value is not what it should be.
    #[error("the token store holds what cannot be understood: {0}")]
    Invalid(String),
    /// The database failed in another way.
    #[error("the token store failed: {0}")]
    Failed(String),
}

impl StoreError {
    pub(crate) fn invalid(error: impl std::fmt::Display) -> Self {
        Self::Invalid(error.to_string())
    }
}
