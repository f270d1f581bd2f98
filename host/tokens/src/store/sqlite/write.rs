//! A batch of what was recorded, written at once.

use std::sync::LazyLock;

use sqlx::query;
use sqlx::sqlite::SqliteConnection;

use super::failure::Failure;
use super::rows::Insert;
use super::tokens::note_time;
use super::{SqliteStore, counts, stored};
use crate::record::Batch;
use crate::store::StoreError;

static EVENTS: LazyLock<Insert> = LazyLock::new(|| Insert::new("event_texts", &["data"], ""));

pub(super) async fn write(store: &SqliteStore, batch: &Batch) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    events(&mut transaction, batch).await?;
    counts::add(&mut transaction, batch).await?;
    if let Some(newest) = batch.newest() {
        note_time(&mut transaction, newest.as_millis()).await?;
    }
    Ok(transaction.commit().await?)
}

async fn events(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), Failure> {
    if !batch.events.is_empty() {
        let texts = batch.events.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let texts = texts.map_err(StoreError::invalid)?;
        EVENTS.run(&mut *connection, texts, |query, text| query.bind(text)).await?;
        query("DELETE FROM event_texts WHERE number <= (SELECT max(number) FROM event_texts) - ?")
            .bind(stored(batch.events_max))
            .execute(&mut *connection)
            .await?;
    }
    if let Some(since) = batch.events_since {
        // In the order in which they were written, which is nearly that of their times: only those that go are read.
        query(
            "DELETE FROM event_texts WHERE number < coalesce( \
               (SELECT number FROM events WHERE time >= ? ORDER BY number LIMIT 1), 9223372036854775807)",
        )
        .bind(since.to_string())
        .execute(connection)
        .await?;
    }
    Ok(())
}
