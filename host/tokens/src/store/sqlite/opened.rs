//! A file that is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    SqliteTransaction,
};
use sqlx::{ConnectOptions, Connection, query};

use super::failure::Failure;
use super::lineage::{self, Files};
use super::place::Place;
use super::{SqliteOptions, schema, standing};
use crate::store::{Lineage, StoreError};

/// Connections that read. They never wait for the one that writes.
const READERS: u32 = 3;

/// Rows that a connection reads ahead of whoever takes them: with few, each is waited for by itself.
const ROWS_BUFFERED: usize = 1_000;

/// A file that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) place: Place,
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// Whether somebody is about to move the log into the file.
    moving: AtomicBool,
    files: Files,
    /// When the file was written, as whoever writes found it last.
    written_ns: AtomicI64,
}

impl Opened {
    /// Opens the file, makes it where it is not there, and brings it to the newest format.
    pub(super) async fn open(place: Place, options: &SqliteOptions) -> Result<Self, StoreError> {
        let connect = connect_options(&place, options);
        if place.is_new() {
            schema::make(&place, &connect)
                .await
                .map_err(|failure| failure.at(&place))
                .inspect_err(|_| place.take_back())?;
            tracing::info!(path = %place.path().display(), "a new token store was made");
        } else if place.was_empty() {
            return Err(place.empty());
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
        let mut opened = Self {
            writer: pool(1, connect.clone()),
            readers: pool(READERS, connect.pragma("query_only", "1")),
            place,
            moving: AtomicBool::default(),
            files: Files::default(),
            written_ns: AtomicI64::default(),
        };
        let fit = async {
            schema::bring_up(&opened, options.read_only).await?;
            standing::check(&opened, options.read_only).await
        };
        match fit.await {
            Ok(()) => {
                opened.files = opened.place.files();
                Ok(opened)
            }
            Err(failure) => {
                opened.close().await;
                Err(failure.at(&opened.place))
            }
        }
    }

    pub(super) async fn close(&self) {
        if !self.writer.is_closed() {
            self.settle().await;
        }
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Moves what stands in the log into the file. Says whether there is nothing to come back for.
    pub(super) async fn settle(&self) -> bool {
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
    pub(super) fn settle_later(self: &Arc<Self>) {
        if self.moving.swap(true, Ordering::AcqRel) {
            return;
        }
        let opened = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(standing::MOVED_EVERY).await;
                opened.moving.store(false, Ordering::Release);
                if opened.writer.is_closed() || opened.settle().await || opened.moving.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// A transaction that nobody else writes beside.
    pub(super) async fn lock(&self) -> Result<SqliteTransaction<'static>, Failure> {
        let written_ns = self.place.check()?;
        // Who writes over the file, and not through SQLite, is not noticed by a connection that remembers its pages: it
        // would write them back.
        if self.written_ns.swap(written_ns, Ordering::AcqRel) != written_ns {
            query("PRAGMA shrink_memory").execute(&self.writer).await?;
        }
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The files that lay there when it was opened.
    pub(super) fn files(&self) -> Files {
        self.files
    }

    /// Which store it is now.
    pub(super) async fn lineage(&self) -> Result<Lineage, Failure> {
        self.place.check()?;
        let mut connection = self.readers.acquire().await?;
        // As above, of each connection that comes here.
        query("PRAGMA shrink_memory").execute(&mut *connection).await?;
        lineage::read(&mut connection).await
    }
}

/// Pages of the default size.
pub(super) fn pages(bytes: u64) -> u64 {
    (bytes / 4096).max(1)
}

fn connect_options(place: &Place, options: &SqliteOptions) -> SqliteConnectOptions {
    let mut connect = SqliteConnectOptions::new()
        .filename(place.path())
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
        connect = connect.pragma("max_page_count", pages(bytes).to_string());
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
