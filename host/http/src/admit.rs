//! Asks the policies, and makes of their decisions an admission or a rejection.

use cedargate::model::{Request, Timestamp};
use cedargate::{Decision, Denial, Outcome, Pdp, Permit, Principal};

use crate::catalogue::{Candidate, Resolution};
use crate::extract::Asked;
use crate::facts::Facts;
use crate::reply::{Refusal, Rejection};

/// A decided request.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Where the request would go; `None` where no model is asked for, or nobody serves it.
    pub candidate: Option<Candidate>,
    /// The decision.
    pub decision: Decision,
}

/// Shows that a request was admitted, and where it may go. It cannot be made but from permits.
#[derive(Clone, Debug)]
pub struct Admission {
    // INVARIANT: not empty.
    permits: Vec<(Option<Candidate>, Permit)>,
}

impl Admission {
    /// Where the request may go, in the order in which a router would try: routing and falling back choose among
    /// these alone. Empty where no model was asked for.
    pub fn candidates(&self) -> impl Iterator<Item = (&Candidate, &Permit)> {
        self.permits.iter().filter_map(|(candidate, permit)| candidate.as_ref().map(|candidate| (candidate, permit)))
    }

    /// The first permit.
    pub fn permit(&self) -> Option<&Permit> {
        self.permits.first().map(|(_, permit)| permit)
    }
}

/// Decides every candidate of a request at one time, in the order of [`Facts::requests`]. Empty only for a probe.
#[must_use]
pub fn judge(pdp: &Pdp, principal: &Principal, facts: &Facts<'_>, asked: &Asked, at: Timestamp) -> Vec<Judged> {
    match asked.resolution() {
        Some(Resolution::Candidates(candidates)) if candidates.len() > 1 => {
            decide(pdp, principal, facts.requests(asked), at)
        }
        _ => facts.each(asked, |candidate, request| Judged {
            candidate: candidate.cloned(),
            decision: pdp.decide(principal, request, at),
        }),
    }
}

/// Decides requests that the host made or changed, as [`judge`] does: for a host whose counters differ from
/// candidate to candidate.
#[must_use]
pub fn decide(
    pdp: &Pdp,
    principal: &Principal,
    requests: Vec<(Option<Candidate>, Request)>,
    at: Timestamp,
) -> Vec<Judged> {
    let (candidates, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
    let decisions = pdp.decide_many(principal, &requests, at);
    candidates.into_iter().zip(decisions).map(|(candidate, decision)| Judged { candidate, decision }).collect()
}

/// Admits where at least one candidate is admitted.
///
/// # Errors
///
/// [`Rejection`]: of several denials the one that says most, which is an identity that does not hold, then a failure
/// of the infrastructure, then a budget or a rate, then the first candidate's. [`Refusal::ModelUnknown`] where the
/// policies admit a model that nobody serves. [`Refusal::RouteUnknown`] where nothing was judged.
pub fn settle(asked: &Asked, judged: Vec<Judged>) -> Result<Admission, Rejection> {
    let mut permits = Vec::with_capacity(judged.len());
    let mut denials: Vec<Denial> = Vec::new();
    for Judged { candidate, decision, .. } in judged {
        match decision.into_result() {
            Ok(permit) => permits.push((candidate, permit)),
            Err(denial) => denials.push(denial),
        }
    }
    if !permits.is_empty() {
        return match asked.resolution() {
            Some(Resolution::Unroutable { .. }) => Err(Refusal::ModelUnknown.into()),
            Some(Resolution::Candidates(_)) | None => Ok(Admission { permits }),
        };
    }
    // `min_by_key` takes the first of equals.
    let denial = denials.into_iter().min_by_key(|denial| rank(denial.decision().outcome()));
    Err(denial.map_or(Refusal::RouteUnknown.into(), Rejection::from))
}

/// [`judge`] and [`settle`] in one.
///
/// # Errors
///
/// [`Rejection`], as [`settle`] says.
pub fn admit(
    pdp: &Pdp,
    principal: &Principal,
    facts: &Facts<'_>,
    asked: &Asked,
    at: Timestamp,
) -> Result<Admission, Rejection> {
    settle(asked, judge(pdp, principal, facts, asked, at))
}

const fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Unauthenticated => 0,
        Outcome::Unavailable | Outcome::PolicyError => 1,
        Outcome::Throttled => 2,
        _ => 3,
    }
}
