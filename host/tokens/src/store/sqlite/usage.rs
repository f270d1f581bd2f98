//! Counts by token, hour and model, and when secrets were last used.

use std::sync::LazyLock;

use cedargate::model::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Row, query};

use super::failure::Failure;
use super::rows::Insert;
use super::{SqliteStore, amount, stored};
use crate::record::{Batch, UsageCount};

static USAGE: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "usage",
        &["token_id", "hour", "model", "requests", "errors", "tokens_in", "tokens_out", "cost_nanos"],
        "ON CONFLICT (token_id, hour, model) DO UPDATE SET requests = requests + excluded.requests, \
           errors = errors + excluded.errors, tokens_in = min(tokens_in + excluded.tokens_in, 9007199254740992), \
           tokens_out = min(tokens_out + excluded.tokens_out, 9007199254740992), \
           cost_nanos = min(cost_nanos + excluded.cost_nanos, 9007199254740992)",
    )
});

static LAST_USE: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "last_use",
        &["token_id", "version", "at"],
        "ON CONFLICT (token_id, version) DO UPDATE SET at = max(at, excluded.at)",
    )
});

pub(super) async fn add(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), Failure> {
    let mut counts: Vec<_> = batch.usage.iter().collect();
    // In the order of the table, in which it costs least.
    counts.sort_unstable_by_key(|(key, _)| (&key.token_id, key.hour, &key.model));
    USAGE
        .run(&mut *connection, counts, |query, (key, count)| {
            query
                .bind(&*key.token_id)
                .bind(key.hour.as_millis())
                .bind(&*key.model)
                .bind(stored(count.requests))
                .bind(stored(count.errors))
                .bind(stored(count.tokens_in))
                .bind(stored(count.tokens_out))
                .bind(stored(count.cost_nanos))
        })
        .await?;
    let mut uses: Vec<_> = batch.last_use.iter().collect();
    uses.sort_unstable_by_key(|(key, _)| (&key.token_id, key.version));
    LAST_USE
        .run(connection, uses, |query, (key, at)| query.bind(&*key.token_id).bind(key.version).bind(at.as_millis()))
        .await
}

pub(super) async fn of_token(
    store: &SqliteStore,
    token_id: &str,
    since: Timestamp,
) -> Result<Vec<(String, UsageCount)>, Failure> {
    let rows = query(
        "SELECT model, sum(requests), sum(errors), sum(tokens_in), sum(tokens_out), sum(cost_nanos) \
         FROM usage WHERE token_id = ? AND hour >= ? GROUP BY model ORDER BY model",
    )
    .bind(token_id)
    .bind(since.as_millis())
    .fetch_all(store.reader()?)
    .await?;
    let count = |row: &sqlx::sqlite::SqliteRow| {
        Ok((
            row.try_get(0)?,
            UsageCount {
                requests: amount(row.try_get(1)?),
                errors: amount(row.try_get(2)?),
                tokens_in: amount(row.try_get(3)?),
                tokens_out: amount(row.try_get(4)?),
                cost_nanos: amount(row.try_get(5)?),
            },
        ))
    };
    rows.iter().map(count).collect()
}
