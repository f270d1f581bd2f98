//! Events, read back.

use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row};

use super::SqliteStore;
use super::failure::Failure;
use crate::record::{Event, EventFilter, Verdict};
use crate::store::StoreError;

pub(super) async fn matching(
    store: &SqliteStore,
    filter: &EventFilter,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, Event)>, Failure> {
    let mut query = QueryBuilder::new("SELECT number, data FROM events WHERE number > ");
    query.push_bind(after.unwrap_or(0));
    conditions(&mut query, filter);
    query.push(if after.is_some() { " ORDER BY number LIMIT " } else { " ORDER BY number DESC LIMIT " });
    query.push_bind(limit);
    let rows = query.build().fetch_all(&store.reader()?).await?;
    let mut events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    if after.is_none() {
        events.reverse();
    }
    Ok(events)
}

/// Texts of the query are constants; whatever was typed is a parameter.
fn conditions(query: &mut QueryBuilder<Sqlite>, filter: &EventFilter) {
    let EventFilter { token_name, token_id, team, decision, code, action, provider, model, would_flip } = filter;
    let texts = [
        (" AND token_name = ", token_name.as_deref()),
        (" AND token_id = ", token_id.as_deref()),
        (" AND team = ", team.as_deref()),
        (" AND decision = ", decision.map(Verdict::name)),
        (" AND code = ", code.as_deref()),
        (" AND action = ", action.as_deref()),
        (" AND provider = ", provider.as_deref()),
        (" AND model = ", model.as_deref()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(flip) = would_flip {
        query.push(" AND would_flip = ").push_bind(*flip);
    }
}

fn event(row: &SqliteRow) -> Result<(i64, Event), Failure> {
    let event = serde_json::from_str(row.try_get("data")?).map_err(StoreError::invalid)?;
    Ok((row.try_get("number")?, event))
}
