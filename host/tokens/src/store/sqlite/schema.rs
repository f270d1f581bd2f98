//! The format of the file, and how an older one is brought to it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, query, query_scalar, raw_sql};

use super::failure::Failure;
use super::opened::Opened;
use super::place::Place;
use super::standing;
use crate::store::StoreError;

/// What brings a file from one format to the next, in order; each says at its end which format it made. Released
/// ones never change.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../../migrations/1.sql"),
    include_str!("../../../migrations/2.sql"),
    include_str!("../../../migrations/3.sql"),
    include_str!("../../../migrations/4.sql"),
    include_str!("../../../migrations/5.sql"),
    include_str!("../../../migrations/6.sql"),
];

/// Marks the file as ours: `CGTK`.
const APPLICATION_ID: i64 = 0x4347_544b;

/// Where SQLite keeps that mark in a file, and how a file of SQLite begins, <https://www.sqlite.org/fileformat.html>.
const MARK_AT: u64 = 68;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether a file is marked as ours, of whatever format, and whole or not. Nothing but its beginning is read.
pub(super) fn is_marked(path: &Path) -> bool {
    let read = || -> io::Result<bool> {
        let file = File::open(path)?;
        let (mut magic, mut mark) = ([0; MAGIC.len()], [0; 4]);
        file.read_exact_at(&mut magic, 0)?;
        file.read_exact_at(&mut mark, MARK_AT)?;
        Ok(magic == *MAGIC && i64::from(u32::from_be_bytes(mark)) == APPLICATION_ID)
    };
    read().unwrap_or(false)
}

/// Makes a store in an empty file, all of it at once and in the file itself: there is no moment at which the file is a
/// store without anything in it.
pub(super) async fn make(place: &Place, connect: &SqliteConnectOptions) -> Result<(), Failure> {
    let mut connection = SqliteConnection::connect_with(connect).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been faster.
    if format(place, &mut transaction).await? == 0 {
        migrate(&mut transaction, 0).await?;
    }
    transaction.commit().await?;
    Ok(connection.close().await?)
}

/// Brings the file to the newest format.
pub(super) async fn bring_up(store: &Opened, read_only: bool) -> Result<(), Failure> {
    let mut connection = store.writer.acquire().await?;
    let found = format(&store.place, &mut connection).await?;
    if found == known() {
        return Ok(());
    }
    drop(connection);
    // Whoever makes a store makes it whole: this was copied from one of an older version, without its log.
    if found == 0 && store.place.has_no_log() {
        return Err(store.place.cut().into());
    }
    if read_only {
        return Err(StoreError::ReadOnly.into());
    }
    let mut transaction = store.lock().await?;
    // Another process may have been faster.
    let from = format(&store.place, &mut transaction).await?;
    migrate(&mut transaction, from).await?;
    transaction.commit().await?;
    // The file itself is of the newest format, too.
    standing::begin(store).await?.commit().await?;
    store.settle().await;
    Ok(())
}

async fn migrate(connection: &mut SqliteConnection, from: i64) -> Result<(), Failure> {
    for migration in MIGRATIONS.into_iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        raw_sql(migration).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The newest format.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The format of the file; 0 for an empty one.
async fn format(place: &Place, connection: &mut SqliteConnection) -> Result<i64, Failure> {
    let known = known();
    let id: i64 = query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let found: i64 = query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let is_empty = query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(&mut *connection).await?.is_none();
    match (id, found) {
        (APPLICATION_ID, 1..) if found <= known => Ok(found),
        (APPLICATION_ID, _) if found > known => Err(StoreError::Newer { found, known }.into()),
        (0, 0) if is_empty => Ok(0),
        _ => Err(StoreError::Foreign { path: place.path().to_path_buf() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::record::EventFilter;
    use crate::store::{RecordStore, SqliteOptions, SqliteStore};

    #[tokio::test]
    async fn what_the_first_format_held_is_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.db");
        let connect = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&connect).await.unwrap();
        raw_sql(MIGRATIONS[0]).execute(&mut connection).await.unwrap();
        let rows = r#"INSERT INTO events VALUES
            (7, 'req_1', 1776948300123, 'tok_a', 'app', 2, 'frontend', 'chat.completions', 'openai', 'gpt-4o', 'allow',
             200, NULL, '["a","b"]', 'sha256:1', 15, 3, 4, 5,
             '{"decision":"deny","status":403,"policy_set":"sha256:2"}', 1),
            (8, 'req_2', -1, NULL, NULL, NULL, NULL, 'models.list', NULL, NULL, 'deny', 401, 'token_unknown', NULL, NULL,
             9007199254740992, NULL, NULL, NULL, NULL, 0)"#;
        raw_sql(rows).execute(&mut connection).await.unwrap();
        raw_sql("INSERT INTO last_use VALUES ('tok_a', 2, 17)").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();

        let store = SqliteStore::open(&path, SqliteOptions::default()).await.unwrap();
        let events = store.events(&EventFilter::default(), None, 10).await.unwrap();
        let shown: Vec<_> = events
            .iter()
            .map(|(number, event)| format!("{number} {}", serde_json::to_string(event).unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                r#"7 {"id":"req_1","time":"2026-04-23T12:45:00.123Z","token_id":"tok_a","token_name":"app","secret_version":2,"team":"frontend","action":"chat.completions","provider":"openai","model":"gpt-4o","decision":"allow","status":200,"policies":["a","b"],"policy_set":"sha256:1","latency_us":15,"tokens_in":3,"tokens_out":4,"cost_nanos":5,"shadow":{"decision":"deny","status":403,"policy_set":"sha256:2"}}"#,
                r#"8 {"id":"req_2","time":"1969-12-31T23:59:59.999Z","action":"models.list","decision":"deny","status":401,"code":"token_unknown","latency_us":9007199254740992}"#,
            ]
        );
        let flipped = EventFilter { would_flip: Some(true), ..EventFilter::default() };
        assert_eq!(store.events(&flipped, None, 10).await.unwrap(), events[..1]);
        let Ok(reader) = store.reader() else { panic!("the store is where it was") };
        let used: (i64, Option<i64>) =
            sqlx::query_as("SELECT at, refused_at FROM last_use WHERE version = 2").fetch_one(&reader).await.unwrap();
        assert_eq!(used, (17, None));
        store.close().await;
    }
}
