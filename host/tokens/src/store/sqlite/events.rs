//! Events, read back.

use std::sync::Arc;

use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row};

use super::failure::Failure;
use super::{SqliteStore, amount, time};
use crate::record::{Event, EventFilter, Verdict};
use crate::store::StoreError;

pub(super) async fn matching(
    store: &SqliteStore,
    filter: &EventFilter,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, Event)>, Failure> {
    let mut query = QueryBuilder::new("SELECT * FROM events WHERE number > ");
    query.push_bind(after.unwrap_or(0));
    conditions(&mut query, filter);
    query.push(if after.is_some() { " ORDER BY number LIMIT " } else { " ORDER BY number DESC LIMIT " });
    query.push_bind(limit);
    let rows = query.build().fetch_all(store.reader()?).await?;
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
    let text =
        |name: &str| -> Result<Option<Arc<str>>, Failure> { Ok(row.try_get::<Option<&str>, _>(name)?.map(Arc::from)) };
    let number = |name: &str| -> Result<Option<u64>, Failure> { Ok(row.try_get::<Option<i64>, _>(name)?.map(amount)) };
    let decision = match row.try_get("decision")? {
        "allow" => Verdict::Allow,
        _ => Verdict::Deny,
    };
    let mut event = Event::new(
        row.try_get::<&str, _>("id")?,
        time(row.try_get("time")?),
        row.try_get::<&str, _>("action")?,
        decision,
    );
    event.token_id = text("token_id")?;
    event.token_name = text("token_name")?;
    event.secret_version = row.try_get("secret_version")?;
    event.team = text("team")?;
    event.provider = text("provider")?;
    event.model = text("model")?;
    event.status = row.try_get("status")?;
    event.code = text("code")?;
    if let Some(policies) = row.try_get::<Option<&str>, _>("policies")? {
        event.policies = serde_json::from_str(policies).map_err(StoreError::invalid)?;
    }
    event.policy_set = text("policy_set")?;
    event.latency_us = number("latency_us")?.unwrap_or(0);
    event.tokens_in = number("tokens_in")?;
    event.tokens_out = number("tokens_out")?;
    event.cost_nanos = number("cost_nanos")?;
    if let Some(shadow) = row.try_get::<Option<&str>, _>("shadow")? {
        event.shadow = Some(serde_json::from_str(shadow).map_err(StoreError::invalid)?);
    }
    Ok((row.try_get("number")?, event))
}
