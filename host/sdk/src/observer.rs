//! Hooks for decision logs and metrics of the host's own.

use std::time::Duration;

use crate::decision::Decision;
use crate::error::LoadError;
use crate::model::Timestamp;
use crate::principal::Principal;
use crate::reload::ReloadReport;

/// Is told of every decision and every reload, on the thread that made it: return soon, and do not block.
///
/// Every method has an empty default. Without an observer nothing is measured and nothing is built for it.
pub trait Observer: Send + Sync {
    /// A request was decided.
    fn decided(&self, event: &DecisionEvent<'_>) {
        let _ = event;
    }

    /// A reload ended. After an error the last good set stays in force.
    fn reloaded(&self, result: Result<&ReloadReport, &LoadError>) {
        let _ = result;
    }
}

/// A decision, with what it was about.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DecisionEvent<'a> {
    /// The principal.
    pub principal: &'a Principal,
    /// The request as JSON text. Its counters are here or in `counters`.
    pub request: &'a str,
    /// The counters as JSON text, or empty.
    pub counters: &'a str,
    /// The time of the decision, as the host passed it.
    pub at: Timestamp,
    /// What was decided.
    pub decision: &'a Decision,
    /// How long it took, waiting for an instance included. For a batch, its share.
    pub elapsed: Duration,
}
