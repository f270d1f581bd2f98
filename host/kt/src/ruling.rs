//! What is said about one record.

mod place;

use cedargate::model::{Record, Timestamp};
use cedargate::{Decision, Fault, Outcome, Pdp, PolicyInfo, ProfileError};
use serde::{Deserialize, Serialize};

/// The message of a denial where the profile cannot be used: the client can do nothing about it.
const UNPREPARED_MESSAGE: &str = "the gateway could not decide this request; try again";

/// A decision, or the denial that takes its place where the token's own record cannot be used.
pub(crate) enum Ruling {
    /// The component decided.
    Decided(Box<Decision>),
    /// The profile is well formed, and one of its values cannot be used: every host denies with 503.
    Unprepared {
        /// What cannot be used.
        reason: String,
    },
}

impl Ruling {
    /// Whether the request is admitted.
    pub(crate) fn is_allow(&self) -> bool {
        match self {
            Self::Decided(decision) => decision.is_allow(),
            Self::Unprepared { .. } => false,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Decided(decision) => decision.outcome(),
            Self::Unprepared { .. } => Outcome::Unavailable,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Decided(decision) => decision.status(),
            Self::Unprepared { .. } => 503,
        }
    }

    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Decided(decision) => decision.code(),
            Self::Unprepared { .. } => Some(Fault::Unavailable.code()),
        }
    }

    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Decided(decision) => decision.message(),
            Self::Unprepared { .. } => Some(UNPREPARED_MESSAGE),
        }
    }

    /// The determining policies, sorted by id.
    pub(crate) fn policies(&self) -> Vec<&str> {
        match self {
            Self::Decided(decision) => decision.policies().collect(),
            Self::Unprepared { .. } => Vec::new(),
        }
    }

    /// The policies that could not be evaluated, sorted by id.
    pub(crate) fn errors(&self) -> Vec<&str> {
        match self {
            Self::Decided(decision) => decision.errors().collect(),
            Self::Unprepared { .. } => Vec::new(),
        }
    }

    pub(crate) fn deciding_policy(&self) -> Option<&PolicyInfo> {
        match self {
            Self::Decided(decision) => decision.deciding_policy(),
            Self::Unprepared { .. } => None,
        }
    }

    /// What else is known of the cause.
    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::Decided(decision) => decision.detail(),
            Self::Unprepared { reason } => Some(reason),
        }
    }

    /// Whether this machine failed to decide, so that another try may have another end.
    pub(crate) fn is_fault(&self) -> bool {
        match self {
            Self::Decided(decision) => decision.fault().is_some(),
            Self::Unprepared { .. } => false,
        }
    }

    /// Whether there is no decision of the component's.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.outcome() == Outcome::Unavailable
    }
}

/// Why a record is not asked about: its principal or its request is not one of the contract.
#[derive(Debug)]
pub(crate) struct Unreadable<'r> {
    /// The part of the record that is not.
    name: &'static str,
    /// The part's text.
    part: &'r str,
    /// What is wrong, with a place within the part.
    error: String,
}

impl Unreadable<'_> {
    /// What is wrong with a record of this text.
    pub(crate) fn reason(&self, text: &str) -> String {
        format!("`{}`: {}", self.name, place::moved(&self.error, self.part, text))
    }
}

/// A principal as a tool sees it.
pub(crate) type Prepared = Result<cedargate::Principal, Refused>;

/// Why a profile is no principal; the same for every record that holds it.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// The text is not a profile.
    Malformed(String),
    /// A value of the profile cannot be used.
    Invalid(String),
}

/// Prepares a principal. An error is one of this moment, not of the profile.
pub(crate) fn prepare(pdp: &Pdp, profile: &str) -> Result<Prepared, ProfileError> {
    match pdp.principal_json(profile) {
        Ok(principal) => Ok(Ok(principal)),
        Err(ProfileError::Malformed(reason)) => Ok(Err(Refused::Malformed(reason))),
        Err(ProfileError::Invalid(reason)) => Ok(Err(Refused::Invalid(reason))),
        Err(error) => Err(error),
    }
}

/// Asks about a record whose principal is prepared.
pub(crate) fn rule<'r>(pdp: &Pdp, prepared: &Prepared, record: &'r Record) -> Result<Ruling, Unreadable<'r>> {
    let principal = match prepared {
        Ok(principal) => principal,
        Err(Refused::Malformed(error)) => {
            return Err(Unreadable { name: "principal", part: record.principal(), error: error.clone() });
        }
        Err(Refused::Invalid(reason)) => return Ok(Ruling::Unprepared { reason: format!("`principal`: {reason}") }),
    };
    let decision = pdp.decide_json(principal, record.request(), "", record.at());
    if decision.is_malformed() {
        let error = decision.detail().unwrap_or("not a request of the contract").to_owned();
        return Err(Unreadable { name: "request", part: record.request(), error });
    }
    Ok(Ruling::Decided(Box::new(decision)))
}

/// The contract's decision text, as far as a tool reads or writes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DecisionText {
    v: u8,
    decision: String,
    outcome: String,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    policies: Vec<String>,
    pub(crate) errors: Vec<PolicyError>,
    policy_set: String,
    valid: Validity,
    reads: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A policy that could not be evaluated.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PolicyError {
    pub(crate) policy: String,
    pub(crate) message: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Validity {
    from: i64,
    until: i64,
}

/// The whole decision as the contract's text.
pub(crate) fn decision_text(
    pdp: &Pdp,
    prepared: &Prepared,
    record: &Record,
    ruling: &Ruling,
) -> anyhow::Result<String> {
    if let (Ok(principal), Ruling::Decided(decision)) = (prepared, ruling)
        && decision.fault().is_none()
        && let Ok(text) = pdp.decide_text(principal, record.request(), "", record.at())
    {
        return Ok(text);
    }
    Ok(serde_json::to_string(&without_component(pdp, record.at(), ruling))?)
}

/// The text of a denial that the component did not make.
fn without_component(pdp: &Pdp, at: Timestamp, ruling: &Ruling) -> DecisionText {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    DecisionText {
        v: 1,
        decision: if ruling.is_allow() { "allow" } else { "deny" }.to_owned(),
        outcome: ruling.outcome().name().to_owned(),
        status: ruling.status(),
        code: owned(ruling.code()),
        message: owned(ruling.message()),
        policies: Vec::new(),
        errors: Vec::new(),
        policy_set: pdp.info().digest().to_owned(),
        valid: Validity { from: at.as_millis(), until: at.as_millis() },
        reads: Vec::new(),
        detail: owned(ruling.detail()),
    }
}
