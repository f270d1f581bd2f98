//! The embedded store: one SQLite file.

mod audit;
mod backup;
mod budgets;
mod counts;
mod events;
mod failure;
mod leases;
mod place;
mod restore;
mod rows;
mod schema;
mod standing;
mod tidy;
mod tokens;
mod usage;
mod write;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cedargate::model::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    SqliteTransaction,
};
use sqlx::{ConnectOptions, Connection};

use super::{
    Ask, BudgetStore, ChangeSet, Granted, RecordStore, SecretsPage, Settlement, StoreError, StoredSecret, TokenPage,
    TokenStore, Work,
};
use crate::audit::AuditEntry;
use crate::record::{Batch, BudgetKey, Event, EventFilter, UsageCount};
use crate::secret::SecretHash;
use crate::token::Token;
use failure::Failure;
use place::Place;

pub use backup::Checked;
pub use restore::{Restored, restore};

/// Connections that read. They never wait for the one that writes.
const READERS: u32 = 3;

/// Rows that a connection reads ahead of whoever takes them: with few, each is waited for by itself.
const ROWS_BUFFERED: usize = 1_000;

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
}

impl Default for SqliteOptions {
    /// Makes the file, waits five seconds, and has no bound.
    fn default() -> Self {
        Self { create: true, read_only: false, busy_timeout: Duration::from_secs(5), bytes_max: None }
    }
}

/// A store in one SQLite file, for any number of processes on one machine.
///
/// What is acknowledged is on the disk: each transaction is synced before it returns.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    place: Place,
    writer: SqlitePool,
    readers: SqlitePool,
    /// Whether somebody is about to move the log into the file.
    moving: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens a store, makes it where it is not there, and brings it to the newest format.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: each says what to do about it.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let place = Place::prepare(path.as_ref(), options.create && !options.read_only)?;
        let connect = connect_options(place.path(), &options);
        if place.was_empty() {
            match options.create && !options.read_only {
                true => schema::make(&place, &connect).await.map_err(|failure| failure.at(&place))?,
                false => return Err(place.cut()),
            }
        }
        let connect = if options.read_only { connect } else { connect.journal_mode(SqliteJournalMode::Wal) };
        let pool = |connections: u32, connect: SqliteConnectOptions| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.busy_timeout.saturating_mul(2))
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(has_ended(connection)))
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(connect)
        };
        let store = Self {
            writer: pool(1, connect.clone()),
            readers: pool(READERS, connect.pragma("query_only", "1")),
            place,
            moving: Arc::default(),
        };
        let fit = async {
            schema::bring_up(&store, options.read_only).await?;
            standing::check(&store, options.read_only).await
        };
        match fit.await {
            Ok(()) => Ok(store),
            Err(failure) => {
                store.close().await;
                Err(failure.at(&store.place))
            }
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Moves what stands in the log into the file, and ends all connections. What was acknowledged is on the disk with
    /// or without this.
    pub async fn close(&self) {
        if !self.writer.is_closed() {
            self.settle().await;
        }
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Moves what stands in the log into the file. Says whether there is nothing to come back for.
    async fn settle(&self) -> bool {
        match standing::settle(self).await {
            Ok(settled) => settled,
            Err(failure) => {
                let error = failure.at(&self.place);
                tracing::debug!(%error, "the log of the token store stays beside it");
                true
            }
        }
    }

    /// Sees to it that what is written now stands in the file itself in a while.
    fn settle_later(&self) {
        if self.moving.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(standing::MOVED_EVERY).await;
                store.moving.store(false, Ordering::Release);
                if store.writer.is_closed() || store.settle().await || store.moving.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Work whose failures are told in this crate's words.
    fn work<'a, T>(&'a self, work: impl Future<Output = Result<T, Failure>> + Send + 'a) -> Work<'a, T> {
        Box::pin(async move { work.await.map_err(|failure| failure.at(&self.place)) })
    }

    /// A transaction that nobody else writes beside.
    async fn begin(&self) -> Result<SqliteTransaction<'static>, Failure> {
        self.place.check()?;
        let transaction = standing::begin(self).await?;
        self.settle_later();
        Ok(transaction)
    }

    /// The same, for what is no change of the store.
    async fn lock(&self) -> Result<SqliteTransaction<'static>, Failure> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// What may be read from. The file must still be the one that was opened: whoever replaces it while it is open
    /// would otherwise be overlooked for as long as the process lives.
    fn reader(&self) -> Result<&SqlitePool, Failure> {
        self.place.check()?;
        Ok(&self.readers)
    }
}

fn connect_options(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    let mut connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(options.read_only)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .row_buffer_size(ROWS_BUFFERED)
        .thread_name(|n| format!("cedargate-store-{n}"))
        .disable_statement_logging();
    if !options.read_only {
        connect = connect
            .synchronous(SqliteSynchronous::Full)
            .pragma("trusted_schema", "0")
            .pragma("cell_size_check", "1")
            .pragma("wal_autocheckpoint", "0");
    }
    if let Some(bytes) = options.bytes_max {
        // Pages of the default size.
        connect = connect.pragma("max_page_count", (bytes / 4096).max(1).to_string());
    }
    connect
}

/// Whether the last transaction of a connection is over. Where the disk is full, SQLite rolls back by itself, and the
/// driver waits for a transaction that is no more: such a connection is closed, and another one takes its place.
async fn has_ended(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // It may be on its way: what was asked for is done in order.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
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
                .fetch_optional(self.reader()?)
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

    fn audit_after(&self, number: i64, limit: u32) -> Work<'_, Vec<AuditEntry>> {
        self.work(audit::after(self, number, limit))
    }

    fn audit_last(&self) -> Work<'_, Option<AuditEntry>> {
        self.work(audit::last(self))
    }

    fn secret<'a>(&'a self, hash: &'a SecretHash) -> Work<'a, Option<StoredSecret>> {
        self.work(tokens::by_hash(self, hash))
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
