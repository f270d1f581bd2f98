//! Copies of a store, made while it is used.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cedargate::files::Folder;
use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, query, query_scalar};

use super::failure::Failure;
use super::place::{ENDINGS, is_file_of_store};
use super::restore::alone;
use super::{SqliteOptions, SqliteStore, schema, standing};
use crate::audit::{Tampered, Verified};
use crate::operations::{cut_off, verify};
use crate::store::{StoreError, TokenStore};

/// What a look at all of a store found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How many tokens there are, ended ones too.
    pub tokens: u64,
    /// The newest revision of a token.
    pub revision: i64,
    /// The newest time that anything was stored at.
    pub newest: Option<Timestamp>,
    /// Whether the log of changes, and the tokens that it speaks of, are as they were written.
    pub log: Result<Verified, Tampered>,
}

impl SqliteStore {
    /// Looks at all of the store: whether the file is sound, and whether the log of changes fits the tokens.
    ///
    /// # Errors
    ///
    /// [`StoreError`], among others [`StoreError::Damaged`].
    pub async fn check(&self) -> Result<Checked, StoreError> {
        let checked = self.sound().await.map_err(|failure| self.told(failure))?;
        let (tokens, revision) = checked;
        let newest = self.newest().await?;
        Ok(Checked { tokens, revision, newest, log: verify(self, None).await? })
    }

    /// Whether as many entries stand in the log of changes as changes were made: what can be said of a store without
    /// reading all of it, and what a file that was written over while it was used is caught by.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] where they do not, and others where the store cannot be read.
    pub async fn holds_its_log(&self) -> Result<(), StoreError> {
        let changes = self.lineage().await?.revision;
        let entries = self.audit_last().await?.map_or(0, |entry| entry.number);
        match cut_off(entries, changes) {
            Some(cut) => Err(StoreError::Damaged { path: self.path().to_owned(), what: cut.to_string() }),
            None => Ok(()),
        }
    }

    async fn sound(&self) -> Result<(u64, i64), Failure> {
        let reader = self.reader()?;
        let damaged = |what: String| StoreError::Damaged { path: self.path().to_owned(), what };
        let found: String = query_scalar("PRAGMA integrity_check(1)").fetch_one(&reader).await?;
        if found != "ok" {
            return Err(damaged(found).into());
        }
        if query("PRAGMA foreign_key_check").fetch_optional(&reader).await?.is_some() {
            return Err(damaged("a secret belongs to no token".to_owned()).into());
        }
        let tokens: i64 = query_scalar("SELECT count(*) FROM tokens").fetch_one(&reader).await?;
        let revision = query_scalar("SELECT value FROM meta WHERE name = 'revision'").fetch_one(&reader).await?;
        Ok((super::amount(tokens), revision))
    }

    /// Writes all of the store to a new file of its owner's alone, while others use the store. The file has its name
    /// once it is whole and was checked. With `replace`, a backup that has the name goes, and nothing else does.
    ///
    /// # Errors
    ///
    /// [`StoreError`], among others [`StoreError::Exists`], [`StoreError::Itself`] and [`StoreError::NoBackup`].
    pub async fn backup(&self, to: &Path, replace: bool) -> Result<Checked, StoreError> {
        if is_file_of_store(to, self.path()) {
            return Err(StoreError::Itself { path: to.to_owned() });
        }
        match fs::symlink_metadata(to) {
            Ok(_) if !replace => return Err(StoreError::Exists { path: to.to_owned() }),
            Ok(there) if !there.is_file() || !schema::is_marked(to) => {
                return Err(StoreError::NoBackup { path: to.to_owned() });
            }
            Ok(_) => alone(to).await?,
            // Where it cannot be looked at, nothing can be put there.
            Err(_) => {}
        }
        let half = Half::beside(to)?;
        self.copy(&half).await.map_err(|failure| self.told(failure))?;
        let read_only = SqliteOptions { create: false, read_only: true, ..SqliteOptions::default() };
        let copy = Self::open(&half.path, read_only).await?;
        let checked = copy.check().await;
        copy.close().await;
        let checked = checked?;
        half.becomes(to, replace)?;
        Ok(checked)
    }

    async fn copy(&self, half: &Half) -> Result<(), Failure> {
        // From here on writers need not wait for this, which reads for as long as it takes. Where nothing can be
        // written, there are none.
        if let Ok(transaction) = self.begin().await {
            transaction.commit().await?;
        }
        copy(self.path(), half).await?;
        let mut connection = half.connect().await?;
        standing::is_whole(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

/// Writes what a file and its log hold to another file.
pub(super) async fn copy(from: &Path, half: &Half) -> Result<(), Failure> {
    let options = SqliteConnectOptions::new().filename(from).read_only(true).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let to = half.path.to_str().ok_or_else(|| half.unfit("its name is not UTF-8"))?;
    query("VACUUM INTO ?").bind(to).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// A file that has not its name yet. Without it, it is gone.
pub(super) struct Half {
    pub(super) path: PathBuf,
}

impl Half {
    /// A new file in the folder of another.
    pub(super) fn beside(other: &Path) -> Result<Self, StoreError> {
        let other = std::path::absolute(other).map_err(|error| unfit(other, error))?;
        let mut name = std::ffi::OsString::from(".");
        name.push(other.file_name().ok_or_else(|| unfit(&other, "it has no name"))?);
        name.push(format!(".{}.half", std::process::id()));
        // SQLite opens its files by their names, so nobody else may put one there.
        let folder = Folder::open(other.parent().unwrap_or(Path::new("")))
            .and_then(Folder::own)
            .map_err(|distrust| unfit(&other, distrust))?;
        let path = folder.path().join(&name);
        let _ = fs::remove_file(&path);
        match folder.touch(&name) {
            Ok(true) => Ok(Self { path }),
            Ok(false) => Err(unfit(&path, "somebody else makes it at the same time: try again")),
            Err(distrust) if distrust.cause().is_some_and(|error| error.kind() == ErrorKind::StorageFull) => {
                Err(StoreError::Full)
            }
            Err(distrust) => Err(unfit(&path, format_args!("it cannot be made: {distrust}"))),
        }
    }

    /// Opens it as a file that nobody else has.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, Failure> {
        let options = SqliteConnectOptions::new().filename(&self.path).disable_statement_logging();
        Ok(SqliteConnection::connect_with(&options).await?)
    }

    /// Gives it its name, once it is on the disk.
    pub(super) fn becomes(self, path: &Path, replace: bool) -> Result<(), StoreError> {
        let named = File::open(&self.path).and_then(|file| file.sync_all()).and_then(|()| match replace {
            true => fs::rename(&self.path, path),
            // Unlike a renamed file, a link never takes another one's place.
            false => fs::hard_link(&self.path, path),
        });
        match named {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { path: path.to_owned() });
            }
            Err(error) => return Err(unfit(path, error)),
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unfit(folder, error))
    }

    fn unfit(&self, why: impl std::fmt::Display) -> StoreError {
        unfit(&self.path, why)
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        for ending in ENDINGS {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            // Mostly it is not there.
            let _ = fs::remove_file(path);
        }
    }
}

pub(super) fn unfit(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Place { path: path.to_owned(), why: why.to_string() }
}
