//! Either side's answer in one form: the outcome in the order that the contract fixes, and the ids behind it.

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Decision as CedarDecision, PolicyId, PolicySet};
use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{Decision, Outcome};

use crate::native::{Base, NativeError, ask};

/// The code of a denial whose policy names none.
const CODE_DEFAULT: &str = "policy_denied";

/// What was decided, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class of the decision.
    pub outcome: Outcome,
    /// The status of the response.
    pub status: u16,
    /// The code of a denial.
    pub code: Option<String>,
    /// The `@id`s of the determining policies.
    pub policies: BTreeSet<String>,
    /// The `@id`s of the policies that could not be evaluated.
    pub errors: BTreeSet<String>,
}

impl From<&Decision> for Verdict {
    fn from(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome(),
            status: decision.status(),
            code: decision.code().map(str::to_owned),
            policies: decision.policies().map(str::to_owned).collect(),
            errors: decision.errors().map(str::to_owned).collect(),
        }
    }
}

/// What plain Cedar found: every policy that is satisfied, and every one that erred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The satisfied permits.
    pub permits: BTreeSet<String>,
    /// The satisfied forbids.
    pub forbids: BTreeSet<String>,
    /// The policies that could not be evaluated.
    pub errors: BTreeSet<String>,
}

/// Asks plain Cedar what is satisfied.
///
/// Cedar's response names the satisfied forbids or, where there is none, the satisfied permits. Whether anything
/// permits counts for the outcome also where a forbid is satisfied, so the permits are asked about alone, too.
///
/// # Errors
///
/// [`NativeError`] where the record is no question to Cedar.
pub fn find(base: &Base, profile: &Profile, request: &Request, at: Timestamp) -> Result<Findings, NativeError> {
    let (question, entities) = ask(base, profile, request, at)?;
    let ids = |ids: &mut dyn Iterator<Item = &PolicyId>| ids.map(PolicyId::to_string).collect::<BTreeSet<_>>();
    let all = base.authorizer.is_authorized(&question, &base.policies, &entities);
    let permits = base.authorizer.is_authorized(&question, &base.permits, &entities);
    let permitted = permits.decision() == CedarDecision::Allow;
    let denied = all.decision() == CedarDecision::Deny;
    Ok(Findings {
        permits: if permitted { ids(&mut permits.diagnostics().reason()) } else { BTreeSet::new() },
        forbids: if denied { ids(&mut all.diagnostics().reason()) } else { BTreeSet::new() },
        errors: ids(&mut all
            .diagnostics()
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id())),
    })
}

/// Decides as the contract orders the outcomes, from what plain Cedar finds.
///
/// # Errors
///
/// [`NativeError`] where the record is no question to Cedar for a reason that is not the client's.
pub fn native(base: &Base, profile: &Profile, request: &Request, at: Timestamp) -> Result<Verdict, NativeError> {
    let Findings { permits, forbids, errors } = match find(base, profile, request, at) {
        Ok(findings) => findings,
        Err(NativeError::NoModel(_)) => return Ok(undecided(Outcome::RequestInvalid)),
        Err(error) => return Err(error),
    };
    // The set is sorted, so the first of a class has the bytewise smallest id.
    let first = |status: &str| forbids.iter().find(|id| annotation(&base.policies, id, "status", "403") == status);
    let (outcome, deciding) = if let Some(id) = first("401") {
        (Outcome::Unauthenticated, Some(id))
    } else if !errors.is_empty() {
        (Outcome::PolicyError, None)
    } else if let Some(id) = first("403") {
        (Outcome::Forbidden, Some(id))
    } else if permits.is_empty() {
        (Outcome::NotPermitted, None)
    } else if let Some(id) = first("429") {
        (Outcome::Throttled, Some(id))
    } else {
        (Outcome::Allowed, None)
    };
    let mut verdict = undecided(outcome);
    if let Some(id) = deciding {
        verdict.code = Some(annotation(&base.policies, id, "code", CODE_DEFAULT).to_owned());
    }
    verdict.policies = if outcome.is_allow() { permits } else { forbids };
    verdict.errors = errors;
    Ok(verdict)
}

fn annotation<'b>(policies: &'b PolicySet, id: &str, name: &str, default: &'b str) -> &'b str {
    policies.annotation(&PolicyId::new(id), name).unwrap_or(default)
}

/// An outcome that rests on no policy.
fn undecided(outcome: Outcome) -> Verdict {
    let (status, code) = match outcome {
        Outcome::Unauthenticated => (401, None),
        Outcome::Forbidden => (403, None),
        Outcome::Throttled => (429, None),
        Outcome::Allowed => (200, None),
        Outcome::RequestInvalid => (400, Some("request_invalid")),
        Outcome::NotPermitted => (403, Some("action_not_allowed")),
        Outcome::PolicyError => (503, Some("policy_error")),
        _ => (503, Some("policy_unavailable")),
    };
    let code = code.map(str::to_owned);
    Verdict { outcome, status, code, policies: BTreeSet::new(), errors: BTreeSet::new() }
}
