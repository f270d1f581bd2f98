//! A denial, with everything that a response needs.

use std::fmt;
use std::time::Duration;

use crate::decision::Decision;

/// When a client may try again after a 503: instances are replaced within milliseconds.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(1);

/// The code of a budget that is exhausted: trying again soon changes nothing.
const HARD_QUOTA: &str = "insufficient_quota";

/// A request that is not admitted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Denial {
    /// The status of the response: 400, 401, 403, 429 or 503.
    pub status: u16,
    /// The stable code, for example `model_not_allowed`.
    pub code: String,
    /// A message for the client.
    pub message: String,
    /// When the client may try again, for the header `retry-after`. Always there with 503.
    pub retry_after: Option<Duration>,
    /// Whether trying the same request again can help, for the header `x-should-retry`.
    pub should_retry: bool,
    decision: Box<Decision>,
}

impl Denial {
    pub(crate) fn from_decision(decision: Decision) -> Self {
        let status = decision.status();
        let code = decision.code().unwrap_or("policy_denied").to_owned();
        let message = decision.message().unwrap_or("the gateway does not admit this request").to_owned();
        let hard = code == HARD_QUOTA;
        let retry_after = match status {
            503 => Some(UNAVAILABLE_RETRY),
            429 if !hard => decision.retry_after,
            _ => None,
        };
        let should_retry = status == 503 || (status == 429 && !hard);
        Self { status, code, message, retry_after, should_retry, decision: Box::new(decision) }
    }

    /// The headers of the response: `retry-after` in whole seconds, rounded up, and `x-should-retry`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let retry_after = self.retry_after.map(|wait| ("retry-after", seconds_up(wait).to_string()));
        let worth_saying = matches!(self.status, 429 | 503);
        let should_retry = worth_saying.then(|| ("x-should-retry", self.should_retry.to_string()));
        retry_after.into_iter().chain(should_retry)
    }

    /// The decision behind it, for the log.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }
}

fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for Denial {}
