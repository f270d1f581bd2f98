//! A decision in words for people.

use std::fmt::Write;

use cedargate::model::{Profile, Record, Request, Timestamp};
use cedargate::{Outcome, PolicyInfo, PolicySetInfo};

use crate::clean::clean;
use crate::ruling::{DecisionText, PolicyError, Ruling};

/// The policies that could not be evaluated, with what Cedar said, from the contract's decision text.
pub(crate) fn errors(decision: &str) -> Vec<PolicyError> {
    serde_json::from_str::<DecisionText>(decision).map(|text| text.errors).unwrap_or_default()
}

/// The decision and its reason, on several lines without the last line end.
pub(crate) fn explain(set: &PolicySetInfo, record: &Record, ruling: &Ruling, errors: &[PolicyError]) -> String {
    let mut text = headline(ruling);
    let mut row = |name: &str, value: &str| {
        let _ = write!(text, "\n  {name:<10}{value}");
    };
    row("record", &clean(record.id()));
    row("who", &who(record.principal()));
    row("what", &what(record));
    row("why", &why(ruling));
    for (n, id) in ruling.policies().iter().enumerate() {
        row(if n == 0 { "policies" } else { "" }, &policy(set, id));
    }
    for (n, PolicyError { policy: id, message }) in errors.iter().enumerate() {
        row(if n == 0 { "errors" } else { "" }, &format!("{}: {}", policy(set, id), clean(message)));
    }
    if let Some(detail) = ruling.detail() {
        row("detail", &clean(detail));
    }
    row("holds", &holds(ruling, record.at()));
    row("under", set.digest());
    text
}

/// The decision in a few words, for example `deny 403 model_not_allowed`.
pub(crate) fn brief(ruling: &Ruling) -> String {
    match ruling.code() {
        None => format!("allow {}", ruling.status()),
        Some(code) => format!("deny {} {code}", ruling.status()),
    }
}

fn headline(ruling: &Ruling) -> String {
    match ruling.message() {
        Some(message) => format!("{}: {}", brief(ruling), clean(message)),
        None => brief(ruling),
    }
}

fn who(principal: &str) -> String {
    let Ok(profile) = serde_json::from_str::<Profile>(principal) else {
        return "a principal that cannot be read".to_owned();
    };
    let mut text = clean(&profile.id).into_owned();
    if let Some(name) = &profile.name {
        let _ = write!(text, " \"{}\"", clean(name));
    }
    let _ =
        write!(text, ", {} {}, {}", clean(&profile.purpose), clean(&profile.principal_type), clean(&profile.status));
    for (what, value) in [("organization", &profile.org_id), ("team", &profile.team_id)] {
        if let Some(value) = value {
            let _ = write!(text, ", {what} {}", clean(value));
        }
    }
    if let Some(roles) = &profile.roles {
        let _ = write!(text, ", roles [{}]", clean(&roles.join(", ")));
    }
    text
}

fn what(record: &Record) -> String {
    let Ok(request) = serde_json::from_str::<Request>(record.request()) else {
        return "a request that cannot be read".to_owned();
    };
    let mut text = clean(&request.action).into_owned();
    match (&request.provider, &request.model) {
        (Some(provider), Some(model)) => {
            let _ = write!(text, " with {}/{}", clean(provider), clean(model));
        }
        (None, Some(model)) => {
            let _ = write!(text, " with {}", clean(model));
        }
        (Some(provider), None) => {
            let _ = write!(text, " at {}", clean(provider));
        }
        (None, None) => {}
    }
    let facts = [
        ("gateway", &request.gateway_id),
        ("team", &request.team_id),
        ("consumer group", &request.consumer_group),
        ("organization", &request.org_id),
        ("client", &request.client_ip),
    ];
    for (what, value) in facts {
        if let Some(value) = value {
            let _ = write!(text, ", {what} {}", clean(value));
        }
    }
    let counters = [
        ("budget", &request.budget),
        ("team budget", &request.team_budget),
        ("rate", &request.rate),
        ("team rate", &request.team_rate),
    ];
    for (what, counter) in counters {
        if let Some(counter) = counter {
            let _ = write!(
                text,
                ", {what} {} of {} spent and {} requested",
                counter.spent, counter.limit, counter.requested
            );
        }
    }
    let _ = write!(text, ", at {}", record.at());
    text
}

fn why(ruling: &Ruling) -> String {
    let count = ruling.policies().len();
    match ruling.outcome() {
        Outcome::Allowed if count == 1 => "a policy permits it and none forbids it".to_owned(),
        Outcome::Allowed => format!("{count} policies permit it and none forbids it"),
        Outcome::RequestInvalid => "the request asks for what cannot be decided".to_owned(),
        Outcome::Unauthenticated => format!("the identity does not hold{}", by(ruling)),
        Outcome::PolicyError => {
            let count = ruling.errors().len();
            let which = if count == 1 { "a policy".to_owned() } else { format!("{count} policies") };
            format!("{which} could not be evaluated, and might have forbidden it")
        }
        Outcome::Forbidden => format!("forbidden{}", by(ruling)),
        Outcome::NotPermitted => "no policy permits this action to this profile".to_owned(),
        Outcome::Throttled => format!("permitted, and a counter is exhausted{}", by(ruling)),
        Outcome::Unavailable if ruling.is_fault() => "no decision could be made".to_owned(),
        Outcome::Unavailable => "the token's record cannot be used: mend it".to_owned(),
        _ => ruling.outcome().name().replace('_', " "),
    }
}

fn by(ruling: &Ruling) -> String {
    ruling.deciding_policy().map(|policy| format!(", says {}", policy.id)).unwrap_or_default()
}

/// A policy by its id, with the place it stands at.
pub(crate) fn policy(set: &PolicySetInfo, id: &str) -> String {
    let policies = set.policies();
    let found = policies.binary_search_by(|policy| policy.id.as_str().cmp(id)).ok().and_then(|n| policies.get(n));
    match found.and_then(place) {
        Some(place) => format!("{} ({place})", clean(id)),
        None => clean(id).into_owned(),
    }
}

fn place(policy: &PolicyInfo) -> Option<String> {
    let file = clean(policy.file.as_deref()?).into_owned();
    Some(match policy.line {
        Some(line) => format!("{file}:{line}"),
        None => file,
    })
}

fn holds(ruling: &Ruling, at: Timestamp) -> String {
    let Ruling::Decided(decision) = ruling else { return NOW_ONLY.to_owned() };
    let valid = decision.valid();
    if valid.end <= at {
        return NOW_ONLY.to_owned();
    }
    let reads: Vec<_> = decision.reads().collect();
    if reads.is_empty() {
        return format!("until {}, for any request of this principal", valid.end);
    }
    format!("until {}, for requests with the same {}", valid.end, clean(&reads.join(", ")))
}

const NOW_ONLY: &str = "for this request only";
