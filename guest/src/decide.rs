//! One decision: the outcome, its reasons, and how long it holds.

use crate::annotation::Class;
use crate::principal::{Plan, Principal};
use crate::profile::{InputError, Request};
use crate::reads::Fields;
use crate::set::Outcome;
use crate::time::{Millis, NUMBER_MAX};
use crate::value;
use cedar_policy_core::ast::{Context, Request as CedarRequest};
use cedar_policy_core::entities::{NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use std::sync::Arc;

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its class.
    pub outcome: Outcome,
    /// The policy whose status, code and message a denial carries, by its place in the table.
    pub deciding: Option<u32>,
    /// The determining policies, ascending.
    pub policies: Vec<u32>,
    /// The policies that could not be evaluated, ascending.
    pub errors: Vec<u32>,
    /// What each of `errors` said.
    pub messages: Vec<String>,
    /// It holds from this time on.
    pub since: i64,
    /// It holds until just before this time.
    pub until: i64,
    /// The fields of the request that it depends on.
    pub reads: Fields,
}

impl Decision {
    /// Whether the request is admitted.
    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.outcome == Outcome::Allowed
    }
}

/// What the policies of a plan said.
#[derive(Debug, Default)]
struct Findings {
    permits: Vec<u32>,
    forbids: Vec<(Class, u32)>,
    errors: Vec<u32>,
    messages: Vec<String>,
}

/// Decides a request.
///
/// # Errors
/// [`InputError`]: what the client asked for cannot be asked, or the host's text is wrong.
pub fn decide(principal: &Principal, at: i64, request: &str, counters: &str) -> Result<Decision, InputError> {
    let set = &principal.set;
    let Some(maker) = set.maker() else {
        return Err(InputError::Malformed("this set was loaded for the general door".into()));
    };
    if !(-NUMBER_MAX..=NUMBER_MAX).contains(&at) {
        return Err(InputError::Malformed("`at` is beyond 2^53 milliseconds".into()));
    }
    let request = Request::read(request, counters, set.limits())?;
    let Some((id, action)) = set.action(&request.action) else {
        return Err(InputError::Malformed("this set has no actions".into()));
    };
    let facts = maker.request(id, action.takes, &request, &principal.networks)?;
    let mut context = facts.context;
    context.set_some("at", value::datetime(Millis(at)));
    let entities = principal
        .entities
        .clone()
        .upsert_entities(
            facts.entities.into_iter().chain(set.statics.get(&action.uid).cloned()),
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .map_err(|error| InputError::Invalid(error.to_string()))?;
    let asked = CedarRequest::new_unchecked(
        principal.uid.clone().into(),
        action.uid.clone().into(),
        facts.resource.into(),
        Some(Context::Value(Arc::new(context.into_map()))),
    );
    let plan = principal.plan(id);
    let evaluator = Evaluator::new(asked, &entities, Extensions::all_available());
    Ok(conclude(principal, &plan, evaluate(principal, &plan, &evaluator), at))
}

/// Evaluates every policy of the plan: no early end, since an error after a satisfied forbid still counts.
fn evaluate(principal: &Principal, plan: &Plan, evaluator: &Evaluator<'_>) -> Findings {
    let mut findings = Findings::default();
    for &at in &plan.policies {
        let Some(entry) = principal.set.entry(at) else { continue };
        match (evaluator.evaluate(&entry.policy), &entry.denial) {
            (Ok(false), _) => {}
            (Ok(true), None) => findings.permits.push(at),
            (Ok(true), Some(denial)) => findings.forbids.push((denial.class, at)),
            (Err(error), _) => {
                findings.errors.push(at);
                findings.messages.push(error.to_string());
            }
        }
    }
    findings
}

/// The first outcome that applies, in the order that the contract fixes.
fn conclude(principal: &Principal, plan: &Plan, findings: Findings, at: i64) -> Decision {
    let Findings { permits, forbids, errors, messages } = findings;
    // The table is sorted by id, so the first of a class has the bytewise smallest id.
    let first = |class| forbids.iter().find(|(of, _)| *of == class).map(|(_, at)| *at);
    let (outcome, deciding) = if let Some(at) = first(Class::Unauthenticated) {
        (Outcome::Unauthenticated, Some(at))
    } else if !errors.is_empty() {
        (Outcome::PolicyError, None)
    } else if let Some(at) = first(Class::Forbidden) {
        (Outcome::Forbidden, Some(at))
    } else if permits.is_empty() {
        (Outcome::NotPermitted, None)
    } else if let Some(at) = first(Class::Throttled) {
        (Outcome::Throttled, Some(at))
    } else {
        (Outcome::Allowed, None)
    };
    let policies = if outcome == Outcome::Allowed { permits } else { forbids.iter().map(|(_, at)| *at).collect() };
    let now_only = plan.now_only || !errors.is_empty();
    let until = if now_only { at } else { holds_until(plan, at, principal.set.bundle.settings.max_cache_ms) };
    Decision { outcome, deciding, policies, errors, messages, since: at, until, reads: plan.fields }
}

/// The next boundary after `at`, and never later than the set lets a decision be remembered.
fn holds_until(plan: &Plan, at: i64, max_cache_ms: i64) -> i64 {
    let next = plan.boundaries.partition_point(|boundary| *boundary <= at);
    let latest = at.saturating_add(max_cache_ms);
    plan.boundaries.get(next).map_or(latest, |boundary| latest.min(*boundary))
}
