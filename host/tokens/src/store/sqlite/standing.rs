//! What the file alone says of the log beside it.
//!
//! What is acknowledged stands in `FILE-wal` until it is moved to the file. A copy of the file alone is an older store,
//! and must not be taken for all of it: so the file says [`Standing::Awaits`] while the log holds more. What is written
//! to the log says [`Standing::Ahead`], so that both together are whole, and so is the file once somebody else, SQLite
//! or another tool, has moved the log into it.
//!
//! INVARIANT: the log is only moved while nobody may write. SQLite's own moving is switched off.

use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use sqlx::{AssertSqlSafe, Row, query, query_scalar};

use super::failure::Failure;
use super::opened::Opened;
use crate::store::StoreError;

type Result<T> = std::result::Result<T, Failure>;

/// How long what was written may stand in the log alone.
pub(super) const MOVED_EVERY: Duration = Duration::from_secs(5);

/// How long a writer waits for readers that keep the file from being written. Reads last milliseconds; where one lasts
/// longer, to go on is better than to refuse a revocation.
const READERS_PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks whether they are gone.
const READERS_PAUSE: Duration = Duration::from_millis(10);

/// What the store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Whoever writes next lets the file say first that there is more.
    Whole,
    /// There is more in the log.
    Awaits,
    /// Said in the log: the file says that there is more.
    Ahead,
}

impl Standing {
    const fn stored(self) -> i64 {
        match self {
            Self::Whole => 0,
            Self::Awaits => 1,
            Self::Ahead => 2,
        }
    }
}

/// What the store says; nothing where it has an older format.
async fn standing(connection: &mut SqliteConnection) -> Result<Option<Standing>> {
    let stored: Option<i64> =
        query_scalar("SELECT value FROM meta WHERE name = 'log'").fetch_optional(connection).await?;
    let known = [Standing::Whole, Standing::Awaits, Standing::Ahead];
    let read = |stored| known.into_iter().find(|one| one.stored() == stored);
    stored.map(|stored| read(stored).ok_or_else(|| StoreError::invalid("what is said of its log").into())).transpose()
}

async fn say(connection: &mut SqliteConnection, standing: Standing) -> Result<()> {
    query("UPDATE meta SET value = ? WHERE name = 'log'").bind(standing.stored()).execute(connection).await?;
    Ok(())
}

/// Moves the log into the file. Says whether all of it is there, which it is not where somebody reads what is older.
async fn move_log(store: &Opened) -> Result<bool> {
    let row = query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&store.readers).await?;
    let (busy, logged, moved): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && logged == moved)
}

/// Refuses a file whose log is missing. What a process that was killed left between two steps is completed.
pub(super) async fn check(store: &Opened, read_only: bool) -> Result<()> {
    let mut connection = store.readers.acquire().await?;
    if standing(&mut connection).await? != Some(Standing::Awaits) {
        return Ok(());
    }
    drop(connection);
    if store.place.has_no_log() {
        return Err(store.place.cut().into());
    }
    if !read_only {
        begin(store).await?.commit().await?;
    }
    Ok(())
}

/// A transaction that nobody else writes beside. The file says that there is more in the log.
pub(super) async fn begin(store: &Opened) -> Result<SqliteTransaction<'static>> {
    let begun = Instant::now();
    loop {
        let mut transaction = store.lock().await?;
        match standing(&mut transaction).await? {
            None => return Ok(transaction),
            Some(Standing::Awaits) if store.place.has_no_log() => return Err(store.place.cut().into()),
            // Where there is no log, somebody else has moved it, and the file says what it said.
            Some(Standing::Ahead) if !store.place.has_no_log() => return Ok(transaction),
            Some(Standing::Awaits) => {
                // INVARIANT: nobody writes meanwhile, so what is moved ends with these words.
                let moved = move_log(store).await?;
                if moved || begun.elapsed() > READERS_PATIENCE {
                    // By itself: what is to be written may be refused.
                    say(&mut transaction, Standing::Ahead).await?;
                    transaction.commit().await?;
                } else {
                    transaction.rollback().await?;
                    tokio::time::sleep(READERS_PAUSE).await;
                }
            }
            Some(Standing::Whole | Standing::Ahead) => {
                say(&mut transaction, Standing::Awaits).await?;
                transaction.commit().await?;
            }
        }
    }
}

/// Moves the log into the file, and lets the file say that it is whole. Says whether it is.
///
/// The words come last, so that whoever copies the file meanwhile does not find them beside what is older.
pub(super) async fn settle(store: &Opened) -> Result<bool> {
    let mut transaction = store.lock().await?;
    match standing(&mut transaction).await? {
        Some(Standing::Ahead | Standing::Awaits) if !store.place.has_no_log() => {}
        _ => return Ok(true),
    }
    say(&mut transaction, Standing::Awaits).await?;
    transaction.commit().await?;

    let mut transaction = store.lock().await?;
    if standing(&mut transaction).await? != Some(Standing::Awaits) {
        // Somebody else writes already.
        return Ok(false);
    }
    let moved = move_log(store).await?;
    say(&mut transaction, if moved { Standing::Whole } else { Standing::Ahead }).await?;
    transaction.commit().await?;
    if !moved {
        return Ok(false);
    }

    let mut transaction = store.lock().await?;
    let settled = standing(&mut transaction).await? == Some(Standing::Whole) && move_log(store).await?;
    transaction.rollback().await?;
    if settled {
        empty_log(store).await?;
    }
    Ok(settled)
}

/// Empties a log that was moved, where nobody reads from it: what stands there still would be taken for the log of
/// whatever file takes this one's name.
async fn empty_log(store: &Opened) -> Result<()> {
    let mut connection = store.readers.acquire().await?;
    // Nobody waits for this.
    let timeout: i64 = query_scalar("PRAGMA busy_timeout").fetch_one(&mut *connection).await?;
    query("PRAGMA busy_timeout = 0").execute(&mut *connection).await?;
    let emptied = query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await;
    let timeout = format!("PRAGMA busy_timeout = {timeout}");
    query(AssertSqlSafe(timeout)).execute(&mut *connection).await?;
    emptied?;
    Ok(())
}

/// Lets a file that has no log, and that nobody else knows yet, say that it is whole.
pub(super) async fn is_whole(connection: &mut SqliteConnection) -> Result<()> {
    say(connection, Standing::Whole).await
}
