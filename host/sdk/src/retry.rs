//! When a throttled request may be tried again.

use std::time::Duration;

use serde::Deserialize;

use crate::model::{Counter, Timestamp};

/// The code of an exhausted rate. A budget's reset is not announced: its denial is not for trying again.
pub(crate) const RATE_CODE: &str = "rate_limited";

/// The rates that stand in a request's text or in that of its counters.
#[derive(Default, Deserialize)]
struct Rates {
    rate: Option<Counter>,
    team_rate: Option<Counter>,
}

/// The time until the last of the exhausted rates resets.
pub(crate) fn after(at: Timestamp, request: &str, counters: &str) -> Option<Duration> {
    [request, counters]
        .into_iter()
        .filter_map(|text| serde_json::from_str::<Rates>(text).ok())
        .flat_map(|Rates { rate, team_rate }| [rate, team_rate])
        .flatten()
        .filter(Counter::is_exhausted)
        .filter_map(|counter| counter.resets_at)
        .max()
        .map(|resets_at| resets_at.saturating_since(at))
}
