//! The embedded store: one SQLite file.

mod audit;
mod backup;
mod budgets;
mod counts;
mod events;
mod failure;
mod leases;
mod lineage;
mod opened;
mod place;
mod reserve;
mod restore;
mod rows;
mod schema;
mod sealed;
mod standing;
mod tidy;
mod tokens;
mod usage;
mod write;

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cedargate::model::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteTransaction};

use super::{
    Ask, BudgetStore, ChangeSet, Descent, Granted, Lineage, RecordStore, Replacement, SecretsPage, Settlement,
    StoreError, StoredRow, StoredSecret, TokenPage, TokenStore, Work,
};
use crate::audit::{AuditEntry, Sealed, Witness};
use crate::record::{Batch, BudgetKey, Event, EventFilter, UsageCount};
use crate::secret::SecretHash;
use crate::token::Token;
use failure::Failure;
use lineage::{Mark, Seen};
use opened::Opened;
use place::Place;
use reserve::{RESERVE_BYTES, Reserve};

pub use backup::Checked;
pub use place::{is_file_of_store, is_same_file};
pub(crate) use restore::RESTORED;
pub use restore::{Lost, Restored, restore};

/// How to open a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Make the file where there is none.
    pub create: bool,
    /// Change nothing, and refuse what would.
    pub read_only: bool,
    /// How long to wait for another process that writes.
    pub busy_timeout: Duration,
    /// The most that the file may grow to, in bytes; without, as far as the file system reaches.
    pub bytes_max: Option<u64>,
    /// What to do where the file is older than what was seen of it, or another one.
    pub if_replaced: IfReplaced,
}

/// What to do with a store that is older than what was seen of it, or another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfReplaced {
    /// Refuse it.
    #[default]
    Refuse,
    /// Open it. A [`crate::Directory`] answers nothing from it until somebody accepts it.
    Await,
    /// Accept it as it is, in the name of whoever opens it.
    Accept,
}

impl Default for SqliteOptions {
    /// Makes the file, waits five seconds, has no bound, and refuses a store that was replaced.
    fn default() -> Self {
        Self {
            create: true,
            read_only: false,
            busy_timeout: Duration::from_secs(5),
            bytes_max: None,
            if_replaced: IfReplaced::default(),
        }
    }
}

/// How long a file may be empty that another process makes a store of, which takes milliseconds.
const MADE_PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks whether it is made.
const MADE_PAUSE: Duration = Duration::from_millis(20);

/// A store in one SQLite file, for any number of processes on one machine.
///
/// What is acknowledged is on the disk: each transaction is synced before it returns.
#[derive(Clone)]
pub struct SqliteStore {
    path: PathBuf,
    options: SqliteOptions,
    /// The file, until another one takes its place.
    opened: Arc<RwLock<Arc<Opened>>>,
    mark: Mark,
    reserve: Reserve,
    seen: Option<Lineage>,
    accepted: Option<Replacement>,
    witnesses: Vec<Witness>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens a store, makes it where it is not there, and brings it to the newest format.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: each says what to do about it.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let place = Self::prepared(path.as_ref(), options).await?;
        let path = place.path().to_owned();
        let mark = Mark::of(&path);
        // Before the store is read: whoever changes it notes that afterwards. One that is made now takes nobody's place.
        let seen = if place.is_new() { None } else { mark.read() };
        if let Some(seen) = seen {
            place.part_with(seen.files)?;
        }
        let reserve = Reserve::of(&path);
        let opened = match Opened::open(place.clone(), &options).await {
            // Even to read a store takes some room beside it.
            Err(StoreError::Full) if !options.read_only => {
                reserve.release();
                Opened::open(place, &options).await?
            }
            opened => opened?,
        };
        let opened = Arc::new(opened);
        let mut store = Self {
            path,
            options,
            opened: Arc::new(RwLock::new(opened)),
            mark,
            reserve,
            seen: seen.map(|seen| seen.lineage),
            accepted: None,
            witnesses: Vec::new(),
        };
        match store.meet().await {
            Ok(()) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// The file, once it is a store where another process is about to make one of it.
    async fn prepared(path: &Path, options: SqliteOptions) -> Result<Place, StoreError> {
        let until = Instant::now() + MADE_PATIENCE;
        loop {
            let place = Place::prepare(path, options.create && !options.read_only)?;
            if !place.was_empty() || Instant::now() >= until {
                return Ok(place);
            }
            tokio::time::sleep(MADE_PAUSE).await;
        }
    }

    /// Compares the store with what was seen of it.
    async fn meet(&mut self) -> Result<(), StoreError> {
        let found = self.lineage().await?;
        if let Some(seen) = self.seen
            && found.descent(&seen) == Descent::Strange
        {
            let replacement = Replacement { seen, found };
            match self.options.if_replaced {
                IfReplaced::Refuse => return Err(StoreError::Replaced(replacement)),
                IfReplaced::Await => return Ok(()),
                IfReplaced::Accept => {
                    self.accept(seen).await.map_err(|failure| self.told(failure))?;
                    self.accepted = Some(replacement);
                }
            }
        }
        let found = self.lineage().await?;
        if !self.options.read_only {
            self.note(found);
        }
        self.seen = Some(found);
        Ok(())
    }

    /// Keeps what is seen for whoever opens the store next.
    fn note(&self, lineage: Lineage) {
        self.mark.note(Seen { lineage, files: self.opened().place.files() });
    }

    async fn accept(&self, seen: Lineage) -> Result<(), Failure> {
        let mut transaction = self.begin().await?;
        lineage::take_place(&mut transaction, seen.identity).await?;
        let accepted = lineage::read(&mut transaction).await?;
        transaction.commit().await?;
        self.note(accepted);
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells somebody the head of the audit log with each change that is made through this.
    #[must_use]
    pub fn witnessed_by(mut self, witness: Witness) -> Self {
        self.witnesses.push(witness);
        self
    }

    fn tell(&self, sealed: &Sealed) {
        for witness in &self.witnesses {
            witness(sealed);
        }
    }

    /// What was lost with the store that this one was accepted in the place of, if it was accepted now.
    #[must_use]
    pub fn accepted(&self) -> Option<Replacement> {
        self.accepted
    }

    /// Moves what stands in the log into the file, and ends all connections. What was acknowledged is on the disk with
    /// or without this.
    pub async fn close(&self) {
        self.opened().close().await;
    }

    fn opened(&self) -> Arc<Opened> {
        Arc::clone(&self.opened.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the file that has taken the place of the one that was open.
    async fn open_again(&self) -> Result<(), StoreError> {
        let options = SqliteOptions { create: false, ..self.options };
        let file = Place::prepare(&self.path, false)?;
        file.part_with(self.opened().files())?;
        let opened = Opened::open(file, &options).await?;
        let mut place = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        // Never closed: the last to close a file takes away the log of this name, which is the new one's by now.
        std::mem::forget(std::mem::replace(&mut *place, Arc::new(opened)));
        Ok(())
    }

    fn told(&self, failure: Failure) -> StoreError {
        failure.at(&self.opened().place)
    }

    /// Work whose failures are told in this crate's words.
    fn work<'a, T>(&'a self, work: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Work<'a, T> {
        Box::pin(async move { work.await.map_err(|failure| self.told(failure)) })
    }

    /// A transaction that nobody else writes beside, while there is room beyond what is kept for the end of tokens.
    async fn begin(&self) -> Result<SqliteTransaction<'static>, Failure> {
        let opened = self.opened();
        let mut transaction = standing::begin(&opened).await?;
        if let Some(bytes) = self.options.bytes_max {
            bound(&mut transaction, bytes).await?;
        }
        // INVARIANT: nobody writes meanwhile, so that the room is not taken from whoever was given it.
        if !self.reserve.is_kept() {
            transaction.rollback().await?;
            return Err(StoreError::Full.into());
        }
        opened.settle_later();
        Ok(transaction)
    }

    /// The same for the end of tokens, which may take the last room.
    async fn begin_ending(&self, last_room: bool) -> Result<SqliteTransaction<'static>, Failure> {
        let opened = self.opened();
        let mut transaction = standing::begin(&opened).await?;
        if last_room {
            self.reserve.release();
            if let Some(bytes) = self.options.bytes_max {
                bound(&mut transaction, bytes.saturating_add(RESERVE_BYTES)).await?;
            }
        }
        opened.settle_later();
        Ok(transaction)
    }

    /// What may be read from. The file must still be the one that was opened: whoever replaces it while it is open
    /// would otherwise be overlooked for as long as the process lives.
    fn reader(&self) -> Result<SqlitePool, Failure> {
        let opened = self.opened();
        opened.place.check()?;
        Ok(opened.readers.clone())
    }
}

/// Bounds what a connection may let the file grow to.
async fn bound(connection: &mut SqliteConnection, bytes: u64) -> Result<(), Failure> {
    let bound = format!("PRAGMA max_page_count = {}", opened::pages(bytes));
    sqlx::query(AssertSqlSafe(bound)).execute(connection).await?;
    Ok(())
}

/// A moment as it is stored.
fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An amount as it is stored: the contract's numbers end at 2⁵³.
fn stored(amount: u64) -> i64 {
    const AMOUNT_MAX: u64 = 1 << 53;
    i64::try_from(amount.min(AMOUNT_MAX)).unwrap_or(i64::MAX)
}

/// A stored amount.
fn amount(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

impl TokenStore for SqliteStore {
    fn newest(&self) -> Work<'_, Option<Timestamp>> {
        self.work(async move {
            let newest: Option<i64> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'newest'")
                .fetch_optional(&self.reader()?)
                .await?;
            Ok(newest.map(time))
        })
    }

    fn forget_newest(&self, now: Timestamp) -> Work<'_, ()> {
        self.work(async move {
            let mut transaction = self.begin().await?;
            sqlx::query("UPDATE meta SET value = ? WHERE name = 'newest'")
                .bind(now.as_millis())
                .execute(&mut *transaction)
                .await?;
            Ok(transaction.commit().await?)
        })
    }

    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Work<'a, Vec<i64>> {
        self.work(tokens::apply(self, changes))
    }

    fn token_by_id<'a>(&'a self, id: &'a str) -> Work<'a, Option<Token>> {
        self.work(tokens::by_id(self, id))
    }

    fn tokens_by_name<'a>(&'a self, name: &'a str, limit: u32) -> Work<'a, Vec<Token>> {
        self.work(tokens::by_name(self, name, limit))
    }

    fn tokens(&self, after: i64, limit: u32) -> Work<'_, TokenPage> {
        self.work(tokens::page(self, after, limit))
    }

    fn token_place<'a>(&'a self, id: &'a str) -> Work<'a, Option<i64>> {
        self.work(tokens::place(self, id))
    }

    fn rows(&self, after: i64, limit: u32) -> Work<'_, Vec<StoredRow>> {
        self.work(sealed::page(self, after, limit))
    }

    fn audit_after(&self, number: i64, limit: u32) -> Work<'_, Vec<AuditEntry>> {
        self.work(audit::after(self, number, limit))
    }

    fn audit_last(&self) -> Work<'_, Option<AuditEntry>> {
        self.work(audit::last(self))
    }

    fn secret<'a>(&'a self, hash: &'a SecretHash) -> Work<'a, Option<StoredSecret>> {
        self.work(tokens::by_hash(self, hash))
    }

    fn lineage(&self) -> Work<'_, Lineage> {
        Box::pin(async move {
            if self.opened().place.was_replaced() {
                self.open_again().await?;
            }
            self.opened().lineage().await.map_err(|failure| self.told(failure))
        })
    }

    fn seen(&self) -> Option<Lineage> {
        self.mark.read().map(|seen| seen.lineage).or(self.seen)
    }

    fn secrets_after(&self, revision: i64, tokens_max: u32) -> Work<'_, Option<SecretsPage>> {
        self.work(tokens::secrets_after(self, revision, tokens_max))
    }
}

impl RecordStore for SqliteStore {
    fn write<'a>(&'a self, batch: &'a Batch) -> Work<'a, ()> {
        self.work(write::write(self, batch))
    }

    fn tidy(&self, at: Timestamp) -> Work<'_, ()> {
        self.work(tidy::tidy(self, at))
    }

    fn usage<'a>(&'a self, token_id: &'a str, since: Timestamp) -> Work<'a, Vec<(String, UsageCount)>> {
        self.work(usage::of_token(self, token_id, since))
    }

    fn events<'a>(&'a self, filter: &'a EventFilter, after: Option<i64>, limit: u32) -> Work<'a, Vec<(i64, Event)>> {
        self.work(events::matching(self, filter, after, limit))
    }
}

impl BudgetStore for SqliteStore {
    fn reserve<'a>(
        &'a self,
        holder: &'a str,
        asks: &'a [Ask],
        at: Timestamp,
        until: Timestamp,
    ) -> Work<'a, Vec<Granted>> {
        self.work(leases::reserve(self, holder, asks, at, until))
    }

    fn settle<'a>(&'a self, holder: &'a str, settlements: &'a [Settlement], until: Timestamp) -> Work<'a, Vec<bool>> {
        self.work(leases::settle(self, holder, settlements, until))
    }

    fn expire(&self, at: Timestamp) -> Work<'_, u64> {
        self.work(leases::expire(self, at))
    }

    fn wanted<'a>(&'a self, holder: &'a str) -> Work<'a, Vec<i64>> {
        self.work(leases::wanted(self, holder))
    }

    fn spent(&self, at: Timestamp) -> Work<'_, Vec<(BudgetKey, u64)>> {
        self.work(budgets::going_on(self, at))
    }
}
