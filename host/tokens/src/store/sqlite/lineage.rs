//! Which store a file is, and what of it was seen last.
//!
//! Beside a store lies `FILE-seen`, which says how far it had come: a file that is put in its place, and is older, is
//! noticed by whoever opens it next. It also says which files lay there, so that the log of a file that is gone is not
//! taken for the log of the one that has its name now.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as, query_scalar};

use super::failure::Failure;
use crate::store::{Lineage, StoreError};

type Result<T> = std::result::Result<T, Failure>;

/// The most that is read of what was seen, in bytes: three numbers are less.
const MARK_BYTES_MAX: u64 = 1_024;

pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Lineage> {
    let rows: Vec<(String, i64)> =
        query_as("SELECT name, value FROM meta WHERE name IN ('identity', 'revision', 'instead_of')")
            .fetch_all(connection)
            .await?;
    let value = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    match (value("identity"), value("revision")) {
        (Some(identity), Some(revision)) => Ok(Lineage { identity, revision, instead_of: value("instead_of") }),
        _ => Err(StoreError::invalid("which store it is").into()),
    }
}

/// Gives the store an identity of its own, in the place of another one.
pub(super) async fn take_place(connection: &mut SqliteConnection, of: i64) -> Result<()> {
    let fresh: i64 = query_scalar("SELECT random()").fetch_one(&mut *connection).await?;
    for (name, value) in [("identity", fresh), ("instead_of", of)] {
        query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What was seen of a store, in a file beside it.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    path: PathBuf,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) lineage: Lineage,
    pub(super) files: Files,
}

/// The file, its log and the index of that, by their numbers in the file system; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    pub(super) file: u64,
    pub(super) log: u64,
    pub(super) index: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u8,
    identity: i64,
    revision: i64,
    files: Files,
}

impl Mark {
    pub(super) fn of(store: &Path) -> Self {
        let mut path = store.as_os_str().to_owned();
        path.push("-seen");
        Self { path: path.into() }
    }

    /// What was seen; nothing where that cannot be read, which is no reason to refuse a store.
    pub(super) fn read(&self) -> Option<Seen> {
        let mut text = String::new();
        let read = fs::File::open(&self.path).and_then(|file| file.take(MARK_BYTES_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "what was seen of the token store cannot be read");
                return None;
            }
        }
        match serde_json::from_str(&text) {
            Ok(Written { v: 1, identity, revision, files }) => {
                Some(Seen { lineage: Lineage { identity, revision, instead_of: None }, files })
            }
            Ok(_) | Err(_) => {
                tracing::warn!(path = %self.path.display(), "what was seen of the token store counts for nothing");
                None
            }
        }
    }

    /// Notes what is seen, whole or not at all. Without it an older file is noticed later, by those who run.
    pub(super) fn note(&self, seen: Seen) {
        let Seen { lineage: Lineage { identity, revision, instead_of: _ }, files } = seen;
        let written = Written { v: 1, identity, revision, files };
        let mut half = self.path.clone().into_os_string();
        half.push(format!(".{}", std::process::id()));
        let half = PathBuf::from(half);
        let text = serde_json::to_string(&written).unwrap_or_default();
        let noted = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&half)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&half, &self.path));
        if let Err(error) = noted {
            let _ = fs::remove_file(&half);
            tracing::debug!(path = %self.path.display(), %error, "what is seen of the token store is not noted");
        }
    }
}
