//! Counts by token, hour and model, and when secrets were last used.
//!
//! Each batch leaves its counts as one text, which is as durable as a row for each and costs a part of it. From time to
//! time what waits is added to the rows, in one transaction: by whoever writes, and by whoever wants to read the rows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Row, query, query_scalar};

use super::failure::Failure;
use super::rows::Insert;
use super::{SqliteStore, stored};
use crate::record::{Batch, DENIED, UsageCount};
use crate::store::StoreError;

/// Batches whose counts wait at most: some ten seconds.
const WAITING_MAX: i64 = 13;

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
        &["token_id", "version", "at", "refused_at"],
        // Whichever is there, where one of the two is not.
        "ON CONFLICT (token_id, version) DO UPDATE SET at = coalesce(max(at, excluded.at), at, excluded.at), \
           refused_at = coalesce(max(refused_at, excluded.refused_at), refused_at, excluded.refused_at)",
    )
});

/// What waits about one secret, hour and model.
#[derive(Serialize, Deserialize)]
struct Waiting<'a>(#[serde(borrow)] Secret<'a>, #[serde(borrow)] Place<'a>, Numbers);

/// Id of the token, version of the secret, when it was last used.
#[derive(Serialize, Deserialize)]
struct Secret<'a>(#[serde(borrow)] Cow<'a, str>, u32, i64);

/// Hour and model.
#[derive(Serialize, Deserialize)]
struct Place<'a>(i64, #[serde(borrow)] Cow<'a, str>);

/// Requests, errors, tokens in and out, cost.
type Numbers = [u64; 5];

/// When a secret was last used, and when it was last refused.
#[derive(Default)]
struct LastUse {
    admitted: Option<i64>,
    refused: Option<i64>,
}

/// Leaves the counts of a batch, and adds what waits to its rows where enough of it does.
pub(super) async fn add(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), Failure> {
    if batch.counts.is_empty() {
        return Ok(());
    }
    let waiting = batch.counts.iter().map(|(key, counted)| {
        let UsageCount { requests, errors, tokens_in, tokens_out, cost_nanos } = counted.usage;
        Waiting(
            Secret(Cow::Borrowed(&key.token_id), key.version, counted.last.as_millis()),
            Place(key.hour.as_millis(), Cow::Borrowed(&key.model)),
            [requests, errors, tokens_in, tokens_out, cost_nanos],
        )
    });
    let text = serde_json::to_string(&waiting.collect::<Vec<_>>()).map_err(StoreError::invalid)?;
    query("INSERT INTO waiting_counts (data) VALUES (?)").bind(text).execute(&mut *connection).await?;
    let waits: i64 = query_scalar("SELECT count(*) FROM waiting_counts").fetch_one(&mut *connection).await?;
    if waits >= WAITING_MAX { settle(connection).await } else { Ok(()) }
}

/// A connection to read rows from that lack nothing. Where what waits cannot be added, since there is no room or the
/// store is read only, they are as old as they are.
pub(super) async fn settled(store: &SqliteStore) -> Result<SqlitePool, Failure> {
    let reader = store.reader()?;
    let waits = query("SELECT 1 FROM waiting_counts LIMIT 1").fetch_optional(&reader).await?.is_some();
    if waits && let Err(failure) = settle_now(store).await {
        let error = failure.at(&store.opened().place);
        tracing::warn!(%error, "the use of tokens in the last seconds is not shown");
    }
    Ok(reader)
}

async fn settle_now(store: &SqliteStore) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    settle(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

/// Adds what waits to its rows.
async fn settle(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let texts = query("SELECT data FROM waiting_counts").fetch_all(&mut *connection).await?;
    let (mut usage, mut last_use) = (BTreeMap::new(), BTreeMap::new());
    for text in &texts {
        let read = serde_json::from_str::<Vec<Waiting<'_>>>(text.try_get(0)?);
        // What nobody can read would keep everything that comes after it waiting.
        let read = read.inspect_err(|error| tracing::error!(%error, "counts in the token store cannot be read"));
        for Waiting(Secret(token_id, version, at), Place(hour, model), numbers) in read.unwrap_or_default() {
            let [requests, errors, tokens_in, tokens_out, cost_nanos] = numbers;
            let last: &mut LastUse = last_use.entry((token_id.clone(), version)).or_default();
            let last = if model == DENIED { &mut last.refused } else { &mut last.admitted };
            *last = (*last).max(Some(at));
            // A use that is noted before its reply has ended is counted when it has.
            if numbers != Numbers::default() {
                let counts: &mut UsageCount = usage.entry((token_id, hour, model)).or_default();
                counts.add(&UsageCount { requests, errors, tokens_in, tokens_out, cost_nanos });
            }
        }
    }
    // In the order of the tables, in which it costs least.
    USAGE
        .run(&mut *connection, Vec::from_iter(&usage), |query, ((token_id, hour, model), count)| {
            query
                .bind(&**token_id)
                .bind(hour)
                .bind(&**model)
                .bind(stored(count.requests))
                .bind(stored(count.errors))
                .bind(stored(count.tokens_in))
                .bind(stored(count.tokens_out))
                .bind(stored(count.cost_nanos))
        })
        .await?;
    LAST_USE
        .run(&mut *connection, Vec::from_iter(&last_use), |query, ((token_id, version), last)| {
            query.bind(&**token_id).bind(version).bind(last.admitted).bind(last.refused)
        })
        .await?;
    query("DELETE FROM waiting_counts").execute(connection).await?;
    Ok(())
}
