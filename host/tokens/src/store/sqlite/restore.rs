//! A backup in the place of a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, query_scalar};

use super::backup::{Checked, Half, copy, unfit};
use super::failure::Failure;
use super::place::Place;
use super::{SqliteOptions, SqliteStore};
use crate::store::StoreError;

/// How long to wait for a process that has the store open to end.
const IN_USE_PATIENCE: Duration = Duration::from_millis(500);

/// What became of a store.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What is there now.
    pub checked: Checked,
    /// Where the file is that was there, unless there was none.
    pub kept: Option<PathBuf>,
}

/// Puts a backup in the place of a store, once it was checked. What was there is kept beside it.
///
/// # Errors
///
/// [`StoreError`], among others [`StoreError::InUse`] where another process has the store open, and
/// [`StoreError::Tampered`]. Nothing was changed then.
pub async fn restore(backup: &Path, path: &Path) -> Result<Restored, StoreError> {
    if !fs::metadata(backup).map_err(|error| unfit(backup, error))?.is_file() {
        return Err(unfit(backup, "it is not a regular file"));
    }
    let there = fs::symlink_metadata(path).is_ok();
    if there {
        Place::prepare(path, false)?;
        alone(path).await?;
    }
    let half = Half::beside(path)?;
    let copied = copy(backup, &half).await;
    let place = Place::prepare(&half.path, false)?;
    let named = |error| named(error, backup);
    copied.map_err(|failure| failure.at(&place)).map_err(named)?;
    let options = SqliteOptions { create: false, ..SqliteOptions::default() };
    let store = SqliteStore::open(&half.path, options).await.map_err(named)?;
    let checked = store.check().await;
    store.close().await;
    let checked = checked.map_err(named)?;
    if let Err(tampered) = &checked.log {
        return Err(StoreError::Tampered { path: backup.to_owned(), tampered: tampered.clone() });
    }
    let kept = if there { Some(set_aside(path)?) } else { None };
    half.becomes(path, true)?;
    Ok(Restored { checked, kept })
}

/// An error about the copy of a backup is one about the backup.
fn named(error: StoreError, backup: &Path) -> StoreError {
    let path = backup.to_owned();
    match error {
        StoreError::Cut { .. } => StoreError::Cut { path },
        StoreError::Foreign { .. } => StoreError::Foreign { path },
        StoreError::Damaged { what, .. } => StoreError::Damaged { path, what },
        error => error,
    }
}

/// Makes sure that nobody else has a store open, and moves its log into the file. What is damaged is left as it is.
async fn alone(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(IN_USE_PATIENCE).disable_statement_logging();
    let tried = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        // Takes the file out of the mode in which several share it, which the last one alone can do.
        let mode: String = query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, Failure>(mode)
    };
    match tried.await {
        Ok(mode) if mode.eq_ignore_ascii_case("wal") => Err(StoreError::InUse { path: path.to_owned() }),
        Ok(_) => Ok(()),
        Err(failure) => match failure.at(&Place::prepare(path, false)?) {
            StoreError::Busy => Err(StoreError::InUse { path: path.to_owned() }),
            _ => Ok(()),
        },
    }
}

/// Gives a store that is there another name, with what lies beside it.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let now = Timestamp::now().to_string().replace([':', '-'], "");
    let beside = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let kept = beside(path, &format!(".replaced-{now}"));
    // The log first: a file is never beside the log of another.
    for end in ["-wal", "-shm"] {
        let from = beside(path, end);
        if fs::symlink_metadata(&from).is_ok() {
            fs::rename(&from, beside(&kept, end)).map_err(|error| unfit(&from, error))?;
        }
    }
    // A second name, where the file system has such: there is no moment without a store.
    let named = fs::hard_link(path, &kept).or_else(|_| fs::rename(path, &kept));
    named.map_err(|error| unfit(path, error))?;
    Ok(kept)
}
