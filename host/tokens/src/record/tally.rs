//! What is waiting to be written.

use std::collections::HashMap;
use std::sync::Arc;

use cedargate::model::Timestamp;

use super::event::{Event, Verdict};
use crate::token::Window;

/// What denied requests are counted under in place of their model: a client may ask for any name, and each would
/// be another counter.
pub(crate) const DENIED: &str = "(denied)";

/// What admitted requests are counted under whose model the configuration does not name, where their provider takes any:
/// their names are the client's choice, too.
pub const UNLISTED: &str = "(unlisted)";

/// What requests without a model are counted under.
const NO_MODEL: &str = "(none)";

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CountKey {
    /// The id of the token.
    pub token_id: Arc<str>,
    /// Which secret of it was used.
    pub version: u32,
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// The model of admitted requests, `(unlisted)` where the configuration does not name it; `(denied)` for all others.
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

/// What was counted under one key, and when last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The counts.
    pub usage: UsageCount,
    /// When the secret was last presented for it.
    pub last: Timestamp,
}

impl Counted {
    fn add(&mut self, other: &Self) {
        self.usage.add(&other.usage);
        self.last = self.last.max(other.last);
    }
}

/// Everything that is written at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events, in the order of their decisions.
    pub events: Vec<Event>,
    /// Counts to be added.
    pub counts: HashMap<CountKey, Counted>,
    /// How many events to keep.
    pub events_max: u64,
    /// From when on to keep them.
    pub events_since: Option<Timestamp>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.counts.is_empty()
    }

    /// The newest time in the batch.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.events.iter().map(|event| event.time).chain(self.counts.values().map(|counted| counted.last)).max()
    }

    /// Counts an event, which is not kept by this. Only those of a token's secrets: a client can make up as many
    /// keys of providers as it likes, and each would be another counter.
    pub(super) fn count(&mut self, event: &Event) {
        let (Some(token_id), Some(version)) = (&event.token_id, event.secret_version) else { return };
        let model = match (event.decision, event.counted_as.as_ref().or(event.model.as_ref())) {
            (Verdict::Deny, _) => DENIED.into(),
            (Verdict::Allow, Some(model)) => Arc::clone(model),
            (Verdict::Allow, None) => NO_MODEL.into(),
        };
        let key = CountKey { token_id: Arc::clone(token_id), version, hour: Window::Hour.start(event.time), model };
        let usage = UsageCount {
            requests: 1,
            errors: u64::from(event.is_error()),
            tokens_in: event.tokens_in.unwrap_or(0),
            tokens_out: event.tokens_out.unwrap_or(0),
            cost_nanos: event.cost_nanos.unwrap_or(0),
        };
        self.add(key, Counted { usage, last: event.time });
    }

    /// Notes that a secret was used, before it is known what for.
    pub(super) fn note_use(&mut self, token_id: Arc<str>, version: u32, at: Timestamp) {
        let key = CountKey { token_id, version, hour: Window::Hour.start(at), model: NO_MODEL.into() };
        self.add(key, Counted { usage: UsageCount::default(), last: at });
    }

    fn add(&mut self, key: CountKey, counted: Counted) {
        self.counts.entry(key).and_modify(|other| other.add(&counted)).or_insert(counted);
    }

    /// Forgets what was written. The memory stays for what comes next.
    pub(super) fn clear(&mut self) {
        let Self { events, counts, events_max: _, events_since: _ } = self;
        events.clear();
        counts.clear();
    }

    /// Takes over what another holds, but for its events.
    pub(super) fn add_counts(&mut self, other: &mut Self) {
        for (key, counted) in other.counts.drain() {
            self.add(key, counted);
        }
    }
}
