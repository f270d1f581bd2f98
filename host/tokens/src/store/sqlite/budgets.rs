//! What was spent in which window.

use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query};

use super::failure::Failure;
use super::{SqliteStore, amount, stored, time};
use crate::record::{BudgetKey, Owner};
use crate::store::StoreError;
use crate::token::{Unit, Window};

/// A key as it is stored.
pub(super) struct Parts<'k> {
    pub(super) kind: &'static str,
    pub(super) id: &'k str,
    pub(super) unit: &'static str,
    pub(super) window: &'static str,
    pub(super) start: i64,
    pub(super) ends: Option<i64>,
}

pub(super) fn parts(key: &BudgetKey) -> Parts<'_> {
    let (kind, id) = match &key.owner {
        Owner::Token(id) => ("token", id),
        Owner::Team(id) => ("team", id),
    };
    Parts {
        kind,
        id,
        unit: key.unit.name(),
        window: key.window.name(),
        start: key.start.as_millis(),
        ends: key.window.end(key.start).map(Timestamp::as_millis),
    }
}

/// Adds to what was spent.
pub(super) async fn add(connection: &mut SqliteConnection, key: &BudgetKey, spent: u64) -> Result<(), Failure> {
    if spent == 0 {
        return Ok(());
    }
    let Parts { kind, id, unit, window, start, ends } = parts(key);
    query(
        "INSERT INTO budgets (owner_kind, owner_id, unit, \"window\", start, ends, spent) VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (owner_kind, owner_id, unit, \"window\", start) \
           DO UPDATE SET spent = min(spent + excluded.spent, 9007199254740992)",
    )
    .bind(kind)
    .bind(id)
    .bind(unit)
    .bind(window)
    .bind(start)
    .bind(ends)
    .bind(stored(spent))
    .execute(connection)
    .await?;
    Ok(())
}

/// What was spent in windows that go on. Those that have ended are forgotten.
pub(super) async fn going_on(store: &SqliteStore, at: Timestamp) -> Result<Vec<(BudgetKey, u64)>, Failure> {
    let rows = query("SELECT * FROM budgets WHERE ends IS NULL OR ends > ?")
        .bind(at.as_millis())
        .fetch_all(&store.reader()?)
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
