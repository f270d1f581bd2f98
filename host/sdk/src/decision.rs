//! What was decided, and by what.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::denial::Denial;
use crate::fault::Fault;
use crate::info::{PolicyInfo, PolicySetInfo};
use crate::model::Timestamp;
use crate::outcome::Outcome;

/// The message of a 503 that the host gives: it says nothing about the policies.
const UNAVAILABLE_MESSAGE: &str = "the gateway could not decide this request; try again";

/// A decision. There always is one: where none could be made, it is a denial with 503.
#[must_use]
#[derive(Clone, Debug)]
pub struct Decision {
    pub(crate) ruling: Arc<Ruling>,
    /// From when the decision holds, and the next moment at which it may change.
    pub(crate) holds: Range<Timestamp>,
    /// When it was made, or taken from memory.
    pub(crate) at: Timestamp,
    pub(crate) retry_after: Option<Duration>,
    /// Only what no policy decided has this.
    pub(crate) exception: Option<Box<Exception>>,
}

/// What decisions about many requests have in common.
#[derive(Debug)]
pub(crate) struct Ruling {
    pub(crate) set: Arc<PolicySetInfo>,
    pub(crate) outcome: Outcome,
    pub(crate) deciding: Option<u32>,
    pub(crate) policies: Box<[u32]>,
    pub(crate) errors: Box<[u32]>,
    pub(crate) reads: Box<[u32]>,
    /// The names behind `policies`, once somebody keeps them.
    pub(crate) names: OnceLock<Arc<[Arc<str>]>>,
}

impl Ruling {
    /// Whether this says the same about the same policy set.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self { set, outcome, deciding, policies, errors, reads, names: _ } = self;
        Arc::ptr_eq(set, &other.set)
            && (outcome, deciding, policies, errors, reads)
                == (&other.outcome, &other.deciding, &other.policies, &other.errors, &other.reads)
    }
}

/// Why no policy decided.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    pub(crate) fault: Option<Fault>,
    pub(crate) detail: Box<str>,
    pub(crate) malformed: bool,
}

impl Decision {
    /// A decision of policies.
    pub(crate) fn of(ruling: Arc<Ruling>, holds: Range<Timestamp>, at: Timestamp) -> Self {
        Self { ruling, holds, at, retry_after: None, exception: None }
    }

    /// A decision that rests on no policy.
    pub(crate) fn without_policy(
        set: Arc<PolicySetInfo>,
        outcome: Outcome,
        at: Timestamp,
        exception: Exception,
    ) -> Self {
        let nothing = || Box::from([]);
        let (policies, errors, reads) = (nothing(), nothing(), nothing());
        let ruling = Ruling { set, outcome, deciding: None, policies, errors, reads, names: OnceLock::new() };
        Self { exception: Some(Box::new(exception)), ..Self::of(Arc::new(ruling), at..at, at) }
    }

    pub(crate) fn unavailable(set: Arc<PolicySetInfo>, fault: Fault, at: Timestamp, detail: String) -> Self {
        let exception = Exception { fault: Some(fault), detail: detail.into(), malformed: false };
        Self::without_policy(set, Outcome::Unavailable, at, exception)
    }

    pub(crate) fn is_exceptional(&self) -> bool {
        self.exception.is_some()
    }

    /// Whether the request is admitted.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.ruling.outcome.is_allow()
    }

    /// The class of the decision.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.ruling.outcome
    }

    /// Why no decision could be made, where that is so.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.exception.as_ref().and_then(|exception| exception.fault)
    }

    /// The status of the response: 200 where the request is admitted.
    #[must_use]
    pub fn status(&self) -> u16 {
        let Ruling { set, outcome, .. } = &*self.ruling;
        let default = || set.outcome(*outcome).map_or(outcome.default_status(), |entry| entry.status);
        self.deciding_policy().and_then(|policy| policy.status).unwrap_or_else(default)
    }

    /// The stable code of a denial, for example `model_not_allowed`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        if self.is_allow() {
            return None;
        }
        let fault = self.fault().map(Fault::code);
        let default = || self.ruling.set.outcome(self.ruling.outcome).and_then(|entry| entry.code.as_deref());
        fault.or_else(|| self.deciding_policy().and_then(|policy| policy.code.as_deref())).or_else(default)
    }

    /// The message of a denial, for the client. It says nothing about policies, scopes or secrets.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        if self.is_allow() {
            return None;
        }
        if self.fault().is_some() {
            return Some(UNAVAILABLE_MESSAGE);
        }
        let default = || self.ruling.set.outcome(self.ruling.outcome).and_then(|entry| entry.message.as_deref());
        self.deciding_policy().and_then(|policy| policy.message.as_deref()).or_else(default)
    }

    /// The ids of the determining policies, sorted: every satisfied permit of an allow, every satisfied forbid of
    /// a denial.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.names(&self.ruling.policies)
    }

    /// The same ids, to be kept without being copied: decisions about one principal that are alike share them.
    #[must_use]
    pub fn shared_policies(&self) -> Arc<[Arc<str>]> {
        Arc::clone(self.ruling.names.get_or_init(|| self.policies().map(Arc::from).collect()))
    }

    /// The ids of the policies that could not be evaluated, sorted.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.names(&self.ruling.errors)
    }

    fn names<'a>(&'a self, indices: &'a [u32]) -> impl Iterator<Item = &'a str> {
        indices.iter().filter_map(|index| self.ruling.set.policy(*index)).map(|policy| policy.id.as_str())
    }

    /// The policy whose status, code and message a denial carries.
    #[must_use]
    pub fn deciding_policy(&self) -> Option<&PolicyInfo> {
        self.ruling.deciding.and_then(|index| self.ruling.set.policy(index))
    }

    /// What else is known of the cause, for the log and never for the client.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.exception.as_ref().map(|exception| &*exception.detail)
    }

    /// Whether the text of the request or of its counters is not one of the contract, which is the host's mistake
    /// and not the client's.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.exception.as_ref().is_some_and(|exception| exception.malformed)
    }

    /// The digest of the policy set that decided.
    #[must_use]
    pub fn policy_set(&self) -> &str {
        self.ruling.set.digest()
    }

    /// The same digest, to be kept without being copied.
    #[must_use]
    pub fn shared_policy_set(&self) -> &Arc<str> {
        self.ruling.set.shared_digest()
    }

    /// When the decision holds, for the same principal and for requests with the same values in the fields of
    /// [`reads`](Self::reads). Empty where it may not be remembered, and never longer than the set's `max_cache_ms`:
    /// a cache elsewhere sees no revocation.
    #[must_use]
    pub fn valid(&self) -> Range<Timestamp> {
        let longest = self.ruling.set.max_cache_ms().and_then(|millis| i64::try_from(millis).ok()).unwrap_or(0);
        let latest = Timestamp::from_millis(self.at.as_millis().saturating_add(longest));
        self.at..self.holds.end.min(latest)
    }

    /// The fields of the request and its counters whose presence or value was read.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        self.ruling.reads.iter().filter_map(|index| self.ruling.set.field(*index))
    }

    /// A permit that admits the request, or a denial with everything that a response needs.
    ///
    /// # Errors
    ///
    /// [`Denial`] where the request is not admitted.
    pub fn into_result(self) -> Result<Permit, Denial> {
        if self.is_allow() { Ok(Permit { decision: self }) } else { Err(Denial::from_decision(self)) }
    }
}

/// Shows that a request was admitted. Only a decision makes one, so a function that takes it cannot be called
/// without.
#[must_use]
#[derive(Clone, Debug)]
pub struct Permit {
    decision: Decision,
}

impl Permit {
    /// The decision that admitted the request.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }
}
