//! Wire to domain and back, every field by name, so that a new field breaks the build.

use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::bindings::exports::cedargate::authz::authz as wire;
use crate::decision::{Decision, Exception, Ruling};
use crate::diagnostics::Diagnostics;
use crate::error::{LoadError, ProfileError};
use crate::fault::Fault;
use crate::info::PolicySetInfo;
use crate::instance::Decided;
use crate::model::{Attributes, Counter, RequestRef, Target, Timestamp};
use crate::outcome::Outcome;
use crate::principal::Rulings;

/// A decision of the component. One that contradicts itself or points outside its tables is no decision.
pub(crate) fn decision(
    set: &Arc<PolicySetInfo>,
    rulings: &mut Rulings<'_>,
    at: Timestamp,
    decided: Decided,
) -> Result<Decision, &'static str> {
    let wire::Decision { effect, outcome, deciding, policies, errors, since, until, reads } = match decided {
        Ok(decision) => decision,
        Err(error) => return Ok(undecided(set, at, error)),
    };
    let outcome = Outcome::from_number(outcome).ok_or("an outcome that does not exist")?;
    let effect_fits = match effect {
        0 => !outcome.is_allow(),
        1 => outcome.is_allow(),
        _ => false,
    };
    if !effect_fits || (outcome.is_allow() && (deciding.is_some() || !errors.is_empty())) {
        return Err("an effect that its outcome contradicts");
    }
    let known = |index: &u32| set.policy(*index).is_some();
    if !policies.iter().chain(&errors).chain(&deciding).all(known) {
        return Err("a policy that does not exist");
    }
    if !reads.iter().all(|index| set.field(*index).is_some()) {
        return Err("a field that does not exist");
    }
    if let Some(status) = deciding.and_then(|index| set.policy(index)).and_then(|policy| policy.status)
        && status != outcome.default_status()
    {
        return Err("a deciding policy of another class than its outcome");
    }
    let ruling = Ruling {
        set: Arc::clone(set),
        outcome,
        deciding,
        policies: policies.into(),
        errors: errors.into(),
        reads: reads.into(),
        names: OnceLock::new(),
    };
    let holds = Timestamp::from_millis(since)..Timestamp::from_millis(until);
    Ok(Decision::of(rulings.share(ruling), holds, at))
}

fn undecided(set: &Arc<PolicySetInfo>, at: Timestamp, error: wire::DecideError) -> Decision {
    let set = Arc::clone(set);
    let invalid = |set, text: String, malformed| {
        let exception = Exception { fault: None, detail: text.into(), malformed };
        Decision::without_policy(set, Outcome::RequestInvalid, at, exception)
    };
    match error {
        wire::DecideError::Malformed(text) => invalid(set, text, true),
        wire::DecideError::RequestInvalid(text) => invalid(set, text, false),
        wire::DecideError::ReplyTooLarge(text) => Decision::unavailable(set, Fault::Reply, at, text),
    }
}

/// Why a bundle was not loaded.
pub(crate) fn load_error(error: wire::LoadError) -> LoadError {
    match error {
        wire::LoadError::Malformed(cause) => LoadError::Contract { cause },
        wire::LoadError::Refused(text) => match serde_json::from_str::<Diagnostics>(&text) {
            Ok(diagnostics) => LoadError::Refused(diagnostics),
            Err(error) => LoadError::Contract { cause: format!("its diagnostics cannot be read: {error}") },
        },
    }
}

/// Why a profile is not a principal.
pub(crate) fn profile_error(error: wire::PrepareError) -> ProfileError {
    match error {
        wire::PrepareError::Malformed(text) => ProfileError::Malformed(text),
        wire::PrepareError::ProfileInvalid(text) => ProfileError::Invalid(text),
    }
}

/// The two texts of a request: what it is, and the host's counters.
pub(crate) struct RequestTexts {
    pub(crate) request: String,
    pub(crate) counters: String,
}

/// Splits a request into its two texts. Without counters the second is empty.
pub(crate) fn request(request: &RequestRef<'_>) -> Result<RequestTexts, serde_json::Error> {
    let RequestRef {
        action,
        provider,
        model,
        gateway_id,
        team_id,
        consumer_group,
        client_ip,
        org_id,
        target,
        current,
        attributes,
        budget,
        team_budget,
        rate,
        team_rate,
    } = *request;
    let facts = Facts {
        action,
        provider,
        model,
        gateway_id,
        team_id,
        consumer_group,
        client_ip,
        org_id,
        target,
        current,
        attributes,
    };
    let counters = Counters { budget, team_budget, rate, team_rate };
    Ok(RequestTexts {
        request: serde_json::to_string(&facts)?,
        counters: if counters.is_empty() { String::new() } else { serde_json::to_string(&counters)? },
    })
}

#[derive(Serialize)]
struct Facts<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Attributes>,
}

#[derive(Serialize)]
struct Counters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a Counter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_budget: Option<&'a Counter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<&'a Counter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_rate: Option<&'a Counter>,
}

impl Counters<'_> {
    fn is_empty(&self) -> bool {
        let Self { budget, team_budget, rate, team_rate } = self;
        budget.is_none() && team_budget.is_none() && rate.is_none() && team_rate.is_none()
    }
}
