//! What is waiting to be written.

use std::collections::HashMap;
use std::sync::Arc;

use cedargate::model::Timestamp;

use super::budget::BudgetKey;
use super::event::{Event, Verdict};
use crate::token::Window;

/// What denied requests are counted under in place of their model: a client may ask for any name, and each would
/// be another counter.
const DENIED: &str = "(denied)";

/// What requests without a model are counted under.
const NO_MODEL: &str = "(none)";

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsageKey {
    /// The id of the token.
    pub token_id: Arc<str>,
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// The model of admitted requests; `(denied)` for all others.
    pub model: Arc<str>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageCount {
    /// Requests.
    pub requests: u64,
    /// Requests that ended in an error.
    pub errors: u64,
    /// Tokens of the model that went in.
    pub tokens_in: u64,
    /// Tokens of the model that came out.
    pub tokens_out: u64,
    /// Cost in billionths of a US dollar.
    pub cost_nanos: u64,
}

impl UsageCount {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        let Self { requests, errors, tokens_in, tokens_out, cost_nanos } = other;
        self.requests = self.requests.saturating_add(*requests);
        self.errors = self.errors.saturating_add(*errors);
        self.tokens_in = self.tokens_in.saturating_add(*tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(*tokens_out);
        self.cost_nanos = self.cost_nanos.saturating_add(*cost_nanos);
    }
}

/// Which secret of which token was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LastUse {
    /// The id of the token.
    pub token_id: Arc<str>,
    /// Which secret of it.
    pub version: u32,
}

/// Everything that is written at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events, in the order of their decisions.
    pub events: Vec<Event>,
    /// Counts to be added.
    pub usage: HashMap<UsageKey, UsageCount>,
    /// When secrets were last used.
    pub last_use: HashMap<LastUse, Timestamp>,
    /// Amounts to be added.
    pub spent: HashMap<BudgetKey, u64>,
    /// How many events to keep.
    pub events_max: u64,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.usage.is_empty() && self.last_use.is_empty() && self.spent.is_empty()
    }

    /// The newest time in the batch.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.events.iter().map(|event| event.time).chain(self.last_use.values().copied()).max()
    }

    /// Counts an event, which is not kept by this. Only those of a token's secrets: a client can make up as many
    /// keys of providers as it likes, and each would be another counter.
    pub(super) fn count(&mut self, event: &Event) {
        let (Some(token_id), Some(version)) = (&event.token_id, event.secret_version) else { return };
        let model = match (event.decision, &event.model) {
            (Verdict::Deny, _) => DENIED.into(),
            (Verdict::Allow, Some(model)) => Arc::clone(model),
            (Verdict::Allow, None) => NO_MODEL.into(),
        };
        let key = UsageKey { token_id: Arc::clone(token_id), hour: Window::Hour.start(event.time), model };
        self.usage.entry(key).or_default().add(&UsageCount {
            requests: 1,
            errors: u64::from(event.is_error()),
            tokens_in: event.tokens_in.unwrap_or(0),
            tokens_out: event.tokens_out.unwrap_or(0),
            cost_nanos: event.cost_nanos.unwrap_or(0),
        });
        let last = self.last_use.entry(LastUse { token_id: Arc::clone(token_id), version }).or_insert(event.time);
        *last = (*last).max(event.time);
    }

    /// Forgets what was written. The memory stays for what comes next.
    pub(super) fn clear(&mut self) {
        let Self { events, usage, last_use, spent, events_max: _ } = self;
        events.clear();
        usage.clear();
        last_use.clear();
        spent.clear();
    }

    /// Takes over what another holds, but for its events.
    pub(super) fn add_counts(&mut self, other: &mut Self) {
        for (key, count) in other.usage.drain() {
            self.usage.entry(key).or_default().add(&count);
        }
        for (key, at) in other.last_use.drain() {
            let last = self.last_use.entry(key).or_insert(at);
            *last = (*last).max(at);
        }
        for (key, amount) in other.spent.drain() {
            let spent = self.spent.entry(key).or_default();
            *spent = spent.saturating_add(amount);
        }
    }
}
