//! What is old is made smaller.

use cedargate::model::Timestamp;
use sqlx::query;

use super::SqliteStore;
use super::failure::Failure;

const DAY_MS: i64 = 86_400_000;

/// Days whose hours are counted one by one.
const HOURLY_DAYS: i64 = 35;

/// Days for which a budget is kept after its window: longer than a month, so that no clock that is wrong for a while
/// forgets a window that goes on.
const BUDGET_DAYS: i64 = 40;

pub(super) async fn tidy(store: &SqliteStore, at: Timestamp) -> Result<(), Failure> {
    let before = |days: i64| at.as_millis().saturating_sub(days * DAY_MS);
    let hours = before(HOURLY_DAYS);
    // Readers do not keep writers waiting, so that this is looked at before anything is locked.
    let found = query("SELECT 1 FROM usage WHERE hour < ? AND hour % 86400000 <> 0 LIMIT 1")
        .bind(hours)
        .fetch_optional(&store.reader()?)
        .await?;
    if found.is_some() {
        let mut transaction = store.begin().await?;
        query(
            "INSERT INTO usage (token_id, hour, model, requests, errors, tokens_in, tokens_out, cost_nanos) \
             SELECT token_id, hour - hour % 86400000 AS day, model, sum(requests), sum(errors), \
               min(sum(tokens_in), 9007199254740992), min(sum(tokens_out), 9007199254740992), \
               min(sum(cost_nanos), 9007199254740992) \
             FROM usage WHERE hour < ? AND hour % 86400000 <> 0 GROUP BY token_id, day, model \
             ON CONFLICT (token_id, hour, model) DO UPDATE SET requests = requests + excluded.requests, \
               errors = errors + excluded.errors, tokens_in = min(tokens_in + excluded.tokens_in, 9007199254740992), \
               tokens_out = min(tokens_out + excluded.tokens_out, 9007199254740992), \
               cost_nanos = min(cost_nanos + excluded.cost_nanos, 9007199254740992)",
        )
        .bind(hours)
        .execute(&mut *transaction)
        .await?;
        query("DELETE FROM usage WHERE hour < ? AND hour % 86400000 <> 0")
            .bind(hours)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    let mut transaction = store.begin().await?;
    query("DELETE FROM budgets WHERE ends < ?").bind(before(BUDGET_DAYS)).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}
