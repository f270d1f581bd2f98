//! What is reserved of budgets.

use cedargate::model::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, query, query_scalar};

use super::budgets::{Parts, add, parts};
use super::failure::Failure;
use super::{SqliteStore, amount, stored};
use crate::store::{Ask, Granted, Settlement};

/// The rows of a budget, whose key is bound first.
macro_rules! of_budget {
    () => {
        "owner_kind = ?1 AND owner_id = ?2 AND unit = ?3 AND \"window\" = ?4 AND start = ?5"
    };
}

/// What is spent and reserved of a budget, and what others than a holder have reserved and may not use.
const TAKEN: &str = concat!(
    "SELECT coalesce((SELECT spent FROM budgets WHERE ",
    of_budget!(),
    "), 0), coalesce(sum(amount), 0), \
       coalesce(sum(amount) FILTER (WHERE holder <> ?6 AND idle <> 'none'), 0) FROM leases WHERE ",
    of_budget!()
);

const WANT: &str =
    concat!("UPDATE leases SET idle = 'wanted' WHERE ", of_budget!(), " AND holder <> ?6 AND idle = 'maybe'");

pub(super) async fn reserve(
    store: &SqliteStore,
    holder: &str,
    asks: &[Ask],
    at: Timestamp,
    until: Timestamp,
) -> Result<Vec<Granted>, Failure> {
    let mut transaction = store.begin().await?;
    expire_now(&mut transaction, at).await?;
    let mut grants = Vec::with_capacity(asks.len());
    for ask in asks {
        grants.push(reserve_one(&mut transaction, holder, ask, until).await?);
    }
    transaction.commit().await?;
    Ok(grants)
}

async fn reserve_one(
    connection: &mut SqliteConnection,
    holder: &str,
    ask: &Ask,
    until: Timestamp,
) -> Result<Granted, Failure> {
    let Parts { kind, id, unit, window, start, ends } = parts(&ask.key);
    let of_budget = |text: &'static str| query(text).bind(kind).bind(id).bind(unit).bind(window).bind(start);
    let row: SqliteRow = of_budget(TAKEN).bind(holder).fetch_one(&mut *connection).await?;
    let taken = amount(row.try_get(0)?).saturating_add(amount(row.try_get(1)?));
    let elsewhere = amount(row.try_get(2)?);
    let granted = ask.grant(taken);
    if granted == 0 {
        let left = ask.limit.saturating_sub(taken);
        if elsewhere > 0 && left.saturating_add(elsewhere) >= ask.least {
            of_budget(WANT).bind(holder).execute(connection).await?;
        }
        return Ok(Granted { amount: 0, lease: 0, taken, elsewhere });
    }
    let lease = query_scalar(
        "INSERT INTO leases (holder, owner_kind, owner_id, unit, \"window\", start, ends, amount, idle, until) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'maybe', ?) \
         ON CONFLICT (owner_kind, owner_id, unit, \"window\", start, holder) DO UPDATE SET \
           amount = amount + excluded.amount, idle = 'maybe', until = max(until, excluded.until) \
         RETURNING id",
    )
    .bind(holder)
    .bind(kind)
    .bind(id)
    .bind(unit)
    .bind(window)
    .bind(start)
    .bind(ends)
    .bind(stored(granted))
    .bind(until.as_millis())
    .fetch_one(connection)
    .await?;
    Ok(Granted { amount: granted, lease, taken, elsewhere })
}

pub(super) async fn settle(
    store: &SqliteStore,
    holder: &str,
    settlements: &[Settlement],
    until: Timestamp,
) -> Result<Vec<bool>, Failure> {
    let mut transaction = store.begin().await?;
    let mut held = Vec::with_capacity(settlements.len());
    for settlement in settlements {
        let Settlement { key, lease, spent, covered, returned, is_all } = settlement;
        let is_held = match lease {
            Some(lease) => {
                let left = query(
                    "UPDATE leases SET amount = max(amount - ?, 0), idle = CASE WHEN ? THEN 'none' WHEN idle = 'none' THEN 'maybe' ELSE idle END, \
                       until = max(until, ?) WHERE id = ? AND holder = ?",
                )
                .bind(stored(covered.saturating_add(*returned)))
                .bind(is_all)
                .bind(until.as_millis())
                .bind(lease)
                .bind(holder)
                .execute(&mut *transaction)
                .await?;
                query("DELETE FROM leases WHERE id = ? AND amount = 0").bind(lease).execute(&mut *transaction).await?;
                left.rows_affected() > 0
            }
            None => true,
        };
        let counted = if is_held { 0 } else { *spent.min(covered) };
        add(&mut transaction, key, spent.saturating_sub(counted)).await?;
        held.push(is_held);
    }
    transaction.commit().await?;
    Ok(held)
}

pub(super) async fn expire(store: &SqliteStore, at: Timestamp) -> Result<u64, Failure> {
    // Readers do not keep writers waiting, so that this is looked at before anything is locked.
    let found = query("SELECT 1 FROM leases WHERE until <= ? LIMIT 1")
        .bind(at.as_millis())
        .fetch_optional(&store.reader()?)
        .await?;
    if found.is_none() {
        return Ok(0);
    }
    let mut transaction = store.begin().await?;
    let expired = expire_now(&mut transaction, at).await?;
    transaction.commit().await?;
    Ok(expired)
}

async fn expire_now(connection: &mut SqliteConnection, at: Timestamp) -> Result<u64, Failure> {
    let found = query("SELECT 1 FROM leases WHERE until <= ? LIMIT 1")
        .bind(at.as_millis())
        .fetch_optional(&mut *connection)
        .await?;
    if found.is_none() {
        return Ok(0);
    }
    query(
        "INSERT INTO budgets (owner_kind, owner_id, unit, \"window\", start, ends, spent) \
         SELECT owner_kind, owner_id, unit, \"window\", start, ends, min(sum(amount), 9007199254740992) \
         FROM leases WHERE until <= ? GROUP BY owner_kind, owner_id, unit, \"window\", start \
         ON CONFLICT (owner_kind, owner_id, unit, \"window\", start) \
           DO UPDATE SET spent = min(spent + excluded.spent, 9007199254740992)",
    )
    .bind(at.as_millis())
    .execute(&mut *connection)
    .await?;
    let expired = query("DELETE FROM leases WHERE until <= ?").bind(at.as_millis()).execute(connection).await?;
    Ok(expired.rows_affected())
}

pub(super) async fn wanted(store: &SqliteStore, holder: &str) -> Result<Vec<i64>, Failure> {
    let leases = query_scalar("SELECT id FROM leases WHERE holder = ? AND idle = 'wanted'");
    Ok(leases.bind(holder).fetch_all(&store.reader()?).await?)
}
