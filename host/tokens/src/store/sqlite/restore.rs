//! A backup in the place of a store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, query_scalar};

use super::backup::{Checked, Half, copy, unfit};
use super::failure::Failure;
use super::lineage::{Mark, Seen};
use super::place::Place;
use super::{IfReplaced, SqliteOptions, SqliteStore};
use crate::operations::Actor;
use crate::store::{Change, ChangeSet, Lineage, StoreError, TokenStore};
use crate::token::Token;

/// How long to wait for a process that has the store open to end.
const IN_USE_PATIENCE: Duration = Duration::from_millis(500);

/// Tokens that are fetched at a time.
const PAGE_TOKENS: u32 = 1_000;

/// The word of the audit log for what a store lacks that took the place of another one, and is done in it again.
pub(crate) const RESTORED: &str = "restored-store";

/// What became of a store.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What is there now.
    pub checked: Checked,
    /// Where the file is that was there, unless there was none.
    pub kept: Option<PathBuf>,
    /// What was there and is no more; nothing where that could not be read.
    pub lost: Option<Lost>,
    /// The changes, the first and the last of them by their numbers, that the store is known to have had and that
    /// nobody can read: what was revoked in them is not revoked here.
    pub unread: Option<(i64, i64)>,
}

/// What a store knew that the one in its place does not.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// How many changes were made since.
    pub changes: u64,
    /// Tokens that were made since, whose keys are unknown now: names and ids.
    pub made: Vec<(String, String)>,
    /// Tokens that were changed since, and are as they were before: names and ids.
    pub changed: Vec<(String, String)>,
    /// Tokens that were revoked since, or secrets of which were: they are revoked again.
    pub revoked: Vec<(String, String)>,
}

/// Puts a backup in the place of a store, once it was checked. What was there is kept beside it, and what was revoked
/// there stays revoked: in the name of `actor`, as far as the old store can be read.
///
/// # Errors
///
/// [`StoreError`], among others [`StoreError::InUse`] where another process has the store open, and
/// [`StoreError::Tampered`]. Nothing was changed then.
pub async fn restore(backup: &Path, path: &Path, actor: &Actor) -> Result<Restored, StoreError> {
    let found = fs::metadata(backup).map_err(|error| unfit(backup, error))?;
    if !found.is_file() {
        return Err(unfit(backup, "it is not a regular file"));
    }
    if found.len() == 0 {
        return Err(StoreError::Empty { path: backup.to_owned() });
    }
    let there = fs::symlink_metadata(path).is_ok();
    let mut old = None;
    if there {
        Place::prepare(path, false)?;
        alone(path).await?;
        old = Old::read(path).await;
        // Once more: it has a log again, where it was opened.
        alone(path).await?;
    }
    let half = Half::beside(path)?;
    let copied = copy(backup, &half).await;
    let place = Place::prepare(&half.path, false)?;
    let named = |error| named(error, backup);
    copied.map_err(|failure| failure.at(&place)).map_err(named)?;
    let options = SqliteOptions { create: false, ..SqliteOptions::default() };
    let store = SqliteStore::open(&half.path, options).await.map_err(named)?;
    let mark = Mark::of(&half.path.with_file_name(path.file_name().unwrap_or_default()));
    let marked = mark.read().map(|seen| seen.lineage);
    let read = old.as_ref().map_or(i64::MIN, |old| old.lineage.revision);
    let read = store.lineage().await.map_err(named)?.revision.max(read);
    let unread =
        marked.map(|marked| marked.revision).filter(|last| *last > read).map(|last| (read.saturating_add(1), last));
    let seen = old.as_ref().map(|old| old.lineage).or(marked);
    let put = put(&store, old.as_ref(), seen, actor).await;
    store.close().await;
    let (checked, lost, lineage) = put.map_err(named)?;
    if let Err(tampered) = &checked.log {
        return Err(StoreError::Tampered { path: backup.to_owned(), tampered: tampered.clone() });
    }
    let kept = if there { Some(set_aside(path)?) } else { None };
    half.becomes(path, true)?;
    let place = Place::prepare(path, false)?;
    mark.note(Seen { lineage, files: place.files() });
    Ok(Restored { checked, kept, lost, unread })
}

/// Checks the copy of a backup, and makes of it a store that knows in whose place it is.
async fn put(
    store: &SqliteStore,
    old: Option<&Old>,
    seen: Option<Lineage>,
    actor: &Actor,
) -> Result<(Checked, Option<Lost>, Lineage), StoreError> {
    let checked = store.check().await?;
    if checked.log.is_err() {
        return Ok((checked, None, store.lineage().await?));
    }
    let lost = match old {
        Some(old) => Some(old.compare(store, actor).await?),
        None => None,
    };
    if let Some(seen) = seen {
        store.accept(seen).await.map_err(|failure| store.told(failure))?;
    }
    Ok((store.check().await?, lost, store.lineage().await?))
}

/// What a store that is about to go knows.
struct Old {
    lineage: Lineage,
    changes: u64,
    tokens: BTreeMap<String, Token>,
}

impl Old {
    /// Reads a store; nothing where that cannot be done, which is why somebody puts back a backup.
    async fn read(path: &Path) -> Option<Self> {
        let options = SqliteOptions { create: false, if_replaced: IfReplaced::Await, ..SqliteOptions::default() };
        let store = SqliteStore::open(path, options).await.ok()?;
        let read = Self::of(&store).await;
        store.close().await;
        read.ok()
    }

    async fn of(store: &SqliteStore) -> Result<Self, StoreError> {
        let lineage = store.lineage().await?;
        let changes = store.audit_last().await?.map_or(0, |entry| u64::try_from(entry.number).unwrap_or(0));
        Ok(Self { lineage, changes, tokens: all(store).await? })
    }

    /// Says what a store lacks, and revokes in it what was revoked in this one.
    async fn compare(&self, store: &SqliteStore, actor: &Actor) -> Result<Lost, StoreError> {
        let mut there = all(store).await?;
        let entries = store.audit_last().await?.map_or(0, |entry| u64::try_from(entry.number).unwrap_or(0));
        let mut lost = Lost { changes: self.changes.saturating_sub(entries), ..Lost::default() };
        let mut changes = Vec::new();
        for (id, token) in &self.tokens {
            let named = (token.name.clone(), id.clone());
            let Some(before) = there.remove(id) else {
                lost.made.push(named);
                continue;
            };
            let after = revoked_as(&before, token);
            if after != before {
                lost.revoked.push(named);
                changes.push(Change { action: RESTORED, before: Some(before), after });
            } else if before.revision != token.revision {
                lost.changed.push(named);
            }
        }
        if !changes.is_empty() {
            store.apply(&ChangeSet { at: Timestamp::now(), actor: actor.to_string(), changes }).await?;
        }
        Ok(lost)
    }
}

/// A token with everything revoked that is revoked in another state of it.
fn revoked_as(token: &Token, other: &Token) -> Token {
    let mut after = token.clone();
    after.revoked_at = after.revoked_at.or(other.revoked_at);
    for secret in &mut after.secrets {
        let known = other.secrets.iter().find(|known| known.hash == secret.hash);
        secret.revoked_at = secret.revoked_at.or(known.and_then(|known| known.revoked_at));
    }
    after
}

async fn all(store: &SqliteStore) -> Result<BTreeMap<String, Token>, StoreError> {
    let mut tokens = BTreeMap::new();
    let mut after = Some(0);
    while let Some(place) = after {
        let page = store.tokens(place, PAGE_TOKENS).await?;
        tokens.extend(page.tokens.into_iter().map(|token| (token.id.clone(), token)));
        after = page.next;
    }
    Ok(tokens)
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
pub(super) async fn alone(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(IN_USE_PATIENCE).disable_statement_logging();
    let tried = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        // Takes the file out of the mode in which several share it, which the last one alone can do.
        let mode: String = query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut connection).await?;
        // A file that was written over may be in another mode than those believe who have it open.
        connection.begin_with("BEGIN EXCLUSIVE").await?.rollback().await?;
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
