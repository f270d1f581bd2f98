//! The format of the file, and how an older one is brought to it.

use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_scalar, raw_sql};

use super::SqliteStore;
use super::failure::Failure;
use crate::store::StoreError;

/// What brings a file from one format to the next, in order; each says at its end which format it made. Released
/// ones never change.
const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/1.sql")];

/// Marks the file as ours: `CGTK`.
const APPLICATION_ID: i64 = 0x4347_544b;

/// Brings the file to the newest format.
pub(super) async fn bring_up(store: &SqliteStore, read_only: bool) -> Result<(), Failure> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let mut connection = store.writer.acquire().await?;
    if format(store, &mut connection).await? == known {
        return Ok(());
    }
    drop(connection);
    if read_only {
        return Err(StoreError::ReadOnly.into());
    }
    let mut transaction = store.begin().await?;
    // Another process may have been faster.
    let from = format(store, &mut transaction).await?;
    for migration in MIGRATIONS.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        raw_sql(migration).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// The format of the file; 0 for an empty one.
async fn format(store: &SqliteStore, connection: &mut SqliteConnection) -> Result<i64, Failure> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let id: i64 = query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let found: i64 = query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let is_empty = query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(&mut *connection).await?.is_none();
    match (id, found) {
        (APPLICATION_ID, 1..) if found <= known => Ok(found),
        (APPLICATION_ID, _) if found > known => Err(StoreError::Newer { found, known }.into()),
        (0, 0) if is_empty => Ok(0),
        _ => Err(StoreError::Foreign { path: store.path().to_path_buf() }.into()),
    }
}
