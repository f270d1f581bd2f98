//! A batch of what was recorded, written at once.

use std::sync::LazyLock;

use sqlx::query;
use sqlx::sqlite::SqliteConnection;

use super::failure::Failure;
use super::rows::{Binding, Insert};
use super::tokens::note_time;
use super::{SqliteStore, budgets, stored, usage};
use crate::record::{Batch, Event};
use crate::store::StoreError;

static EVENTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "events",
        &[
            "id",
            "time",
            "token_id",
            "token_name",
            "secret_version",
            "team",
            "action",
            "provider",
            "model",
            "decision",
            "status",
            "code",
            "policies",
            "policy_set",
            "latency_us",
            "tokens_in",
            "tokens_out",
            "cost_nanos",
            "shadow",
            "would_flip",
        ],
        "",
    )
});

pub(super) async fn write(store: &SqliteStore, batch: &Batch) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    events(&mut transaction, batch).await?;
    usage::add(&mut transaction, batch).await?;
    budgets::add(&mut transaction, batch).await?;
    if let Some(newest) = batch.newest() {
        note_time(&mut transaction, newest.as_millis()).await?;
    }
    Ok(transaction.commit().await?)
}

async fn events(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), Failure> {
    if batch.events.is_empty() {
        return Ok(());
    }
    let rows = batch.events.iter().map(Row::new).collect::<Result<Vec<_>, _>>()?;
    EVENTS.run(connection, &rows, Row::bind).await?;
    query("DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?")
        .bind(stored(batch.events_max))
        .execute(connection)
        .await?;
    Ok(())
}

/// An event whose lists are written as JSON.
struct Row<'a> {
    event: &'a Event,
    policies: Option<String>,
    shadow: Option<String>,
}

impl<'a> Row<'a> {
    fn new(event: &'a Event) -> Result<Self, StoreError> {
        let policies = match event.policies.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&event.policies).map_err(StoreError::invalid)?),
        };
        let shadow = event.shadow.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::invalid)?;
        Ok(Self { event, policies, shadow })
    }

    fn bind<'q>(query: Binding<'q>, row: &Self) -> Binding<'q> {
        let event = row.event;
        query
            .bind(&*event.id)
            .bind(event.time.as_millis())
            .bind(event.token_id.as_deref())
            .bind(event.token_name.as_deref())
            .bind(event.secret_version)
            .bind(event.team.as_deref())
            .bind(&*event.action)
            .bind(event.provider.as_deref())
            .bind(event.model.as_deref())
            .bind(event.decision.name())
            .bind(event.status)
            .bind(event.code.as_deref())
            .bind(row.policies.as_deref())
            .bind(event.policy_set.as_deref())
            .bind(stored(event.latency_us))
            .bind(event.tokens_in.map(stored))
            .bind(event.tokens_out.map(stored))
            .bind(event.cost_nanos.map(stored))
            .bind(row.shadow.as_deref())
            .bind(event.would_flip())
    }
}
