//! A decision as one JSON text.

use crate::contract::profile::InputError;
use crate::contract::reads::FIELDS;
use crate::decide::Decision;
use crate::decide::policy_set::{Outcome, PolicySet};
use serde::Serialize;

/// The code of a decision whose text would be larger than the limit.
const CODE_REPLY: &str = "policy_reply";

#[derive(Serialize)]
struct Text<'s> {
    v: u8,
    decision: &'static str,
    outcome: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'s str>,
    policies: Vec<&'s str>,
    errors: Vec<ErrorText<'s>>,
    policy_set: &'s str,
    valid: Validity,
    reads: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct ErrorText<'s> {
    policy: &'s str,
    message: &'s str,
}

#[derive(Serialize)]
struct Validity {
    from: i64,
    until: i64,
}

/// The text of a decision, or of the denial that an error is.
#[must_use]
pub fn text(set: &PolicySet, at: i64, decided: &Result<Decision, InputError>) -> String {
    let text = match decided {
        Ok(decision) => decision_text(set, decision),
        Err(error) => error_text(set, at, Outcome::RequestInvalid, None, Some(error.to_string())),
    };
    let written = serde_json::to_string(&text).unwrap_or_default();
    if written.is_empty() || written.len() > set.limits().reply_bytes {
        let denial = error_text(set, at, Outcome::Unavailable, Some(CODE_REPLY), None);
        return serde_json::to_string(&denial).unwrap_or_default();
    }
    written
}

/// Whether the reply of a decision in numbers stays within the limit.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn fits(set: &PolicySet, decision: &Decision) -> bool {
    let numbers = decision.policies.len() + decision.errors.len() + FIELDS.len();
    numbers.saturating_mul(size_of::<u32>()) <= set.limits().reply_bytes
}

fn decision_text<'s>(set: &'s PolicySet, decision: &'s Decision) -> Text<'s> {
    let Decision { outcome, deciding, policies, errors, messages, since, until, reads } = decision;
    let id = |at: &u32| set.entry(*at).map(|entry| entry.id.as_str());
    let denial = deciding.and_then(|at| set.entry(at)).and_then(|entry| entry.denial.as_ref());
    Text {
        v: 1,
        decision: if decision.is_allow() { "allow" } else { "deny" },
        outcome: outcome.name(),
        status: denial.map_or(outcome.status(), |denial| denial.class.status()),
        code: denial.map(|denial| denial.code.as_str()).or(outcome.code()),
        message: denial.and_then(|denial| denial.message.as_deref()).or(outcome.message()),
        policies: policies.iter().filter_map(id).collect(),
        errors: errors
            .iter()
            .zip(messages)
            .filter_map(|(at, message)| id(at).map(|policy| ErrorText { policy, message }))
            .collect(),
        policy_set: &set.digest,
        // Texts go further than to the host that asked.
        valid: Validity { from: *since, until: set.latest(*since).min(*until) },
        reads: reads.places().filter_map(|at| FIELDS.get(usize::try_from(at).ok()?).copied()).collect(),
        detail: None,
    }
}

fn error_text<'s>(
    set: &'s PolicySet,
    at: i64,
    outcome: Outcome,
    code: Option<&'s str>,
    detail: Option<String>,
) -> Text<'s> {
    Text {
        v: 1,
        decision: "deny",
        outcome: outcome.name(),
        status: outcome.status(),
        code: code.or(outcome.code()),
        message: outcome.message(),
        policies: Vec::new(),
        errors: Vec::new(),
        policy_set: &set.digest,
        valid: Validity { from: at, until: at },
        reads: Vec::new(),
        detail,
    }
}
