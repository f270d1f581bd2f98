//! What was spent in which window.

use std::sync::LazyLock;

use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use super::failure::Failure;
use super::rows::Insert;
use super::{SqliteStore, amount, stored, time};
use crate::record::{Batch, BudgetKey, Owner};
use crate::store::StoreError;
use crate::token::{Unit, Window};

static BUDGETS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "budgets",
        &["owner_kind", "owner_id", "unit", "\"window\"", "start", "ends", "spent"],
        "ON CONFLICT (owner_kind, owner_id, unit, \"window\", start) \
         DO UPDATE SET spent = min(spent + excluded.spent, 9007199254740992)",
    )
});

pub(super) async fn add(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), Failure> {
    let rows: Vec<_> = batch.spent.iter().collect();
    BUDGETS
        .run(connection, rows, |query, (key, spent)| {
            let (kind, id) = match &key.owner {
                Owner::Token(id) => ("token", id),
                Owner::Team(id) => ("team", id),
            };
            query
                .bind(kind)
                .bind(&**id)
                .bind(key.unit.name())
                .bind(key.window.name())
                .bind(key.start.as_millis())
                .bind(key.window.end(key.start).map(Timestamp::as_millis))
                .bind(stored(*spent))
        })
        .await
}

/// What was spent in windows that go on. Those that have ended are forgotten.
pub(super) async fn going_on(store: &SqliteStore, at: Timestamp) -> Result<Vec<(BudgetKey, u64)>, Failure> {
    let rows = query("SELECT * FROM budgets WHERE ends IS NULL OR ends > ?")
        .bind(at.as_millis())
        .fetch_all(store.reader()?)
        .await?;
    rows.iter().map(spent).collect()
}

fn spent(row: &SqliteRow) -> Result<(BudgetKey, u64), Failure> {
    let (kind, id): (&str, &str) = (row.try_get("owner_kind")?, row.try_get("owner_id")?);
    let owner = if kind == "team" { Owner::Team(id.into()) } else { Owner::Token(id.into()) };
    let unknown = || StoreError::invalid("a budget of an unknown kind");
    let unit = Unit::from_name(row.try_get("unit")?).ok_or_else(unknown)?;
    let window = Window::from_name(row.try_get("window")?).ok_or_else(unknown)?;
    let key = BudgetKey { owner, unit, window, start: time(row.try_get("start")?) };
    Ok((key, amount(row.try_get("spent")?)))
}
