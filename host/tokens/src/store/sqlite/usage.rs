//! What a token used, read back.

use cedargate::model::Timestamp;
use sqlx::{Row, query};

use super::failure::Failure;
use super::{SqliteStore, amount, counts};
use crate::record::UsageCount;

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
    .fetch_all(&counts::settled(store).await?)
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
