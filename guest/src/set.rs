//! A loaded set of policies.

use crate::annotation::Denial;
use crate::bundle::{Bundle, BundleKind};
use crate::diagnostic::Report;
use crate::facts::{Maker, Takes};
use crate::limits::Limits;
use crate::reads::{FIELDS, Reads};
use crate::statics::Statics;
use cedar_policy_core::ast::{ActionConstraint, Effect, EntityUID, Policy, PolicySet as CedarSet};
use cedar_policy_core::validator::ValidatorSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The action that stands for every action that the schema does not know.
pub const UNKNOWN_ACTION: &str = "(unknown)";

/// A policy with everything about it that does not depend on a request.
#[derive(Debug)]
pub struct Entry {
    /// Its `@id`.
    pub id: String,
    /// The policy.
    pub policy: Policy,
    /// What its denial carries. `None` is a permit.
    pub denial: Option<Denial>,
    /// The file it stands in.
    pub file: String,
    /// The line it begins in.
    pub line: usize,
    /// What it reads of a request.
    pub reads: Reads,
}

/// An action that a request may ask for.
#[derive(Debug)]
pub struct Action {
    /// The action.
    pub uid: EntityUID,
    /// The resource it takes.
    pub takes: Takes,
    /// The policies whose scope admits it, by their place in the table.
    pub policies: Vec<u32>,
}

/// A set that decides. Does not change.
#[derive(Debug)]
pub struct PolicySet {
    /// The bundle it was made from, with the texts that Cedar's parser read.
    pub bundle: Bundle,
    /// The digest of the bundle as it was handed over.
    pub digest: String,
    /// The schema. `None` only in a general set.
    pub schema: Option<ValidatorSchema>,
    /// The bundle's entities and the schema's actions.
    pub statics: Statics,
    /// The policies, sorted by id, bytewise.
    pub table: Vec<Entry>,
    /// The same policies, for the general door.
    pub cedar: CedarSet,
    /// The actions by their ids.
    pub actions: BTreeMap<String, Action>,
    /// What the load found that is no error.
    pub warnings: Report,
}

/// The classes of decisions, in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No decision could be made. Only a host says so.
    Unavailable,
    /// What the client asked for cannot be asked.
    RequestInvalid,
    /// A forbid of class 401 is satisfied.
    Unauthenticated,
    /// A policy could not be evaluated.
    PolicyError,
    /// A forbid of class 403 is satisfied.
    Forbidden,
    /// No permit is satisfied.
    NotPermitted,
    /// A forbid of class 429 is satisfied.
    Throttled,
    /// The request is admitted.
    Allowed,
}

impl Outcome {
    /// All of them; an outcome's number is its place.
    pub const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::RequestInvalid,
        Self::Unauthenticated,
        Self::PolicyError,
        Self::Forbidden,
        Self::NotPermitted,
        Self::Throttled,
        Self::Allowed,
    ];

    /// Its name in texts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::RequestInvalid => "request_invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::PolicyError => "policy_error",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Throttled => "throttled",
            Self::Allowed => "allowed",
        }
    }

    /// The HTTP status, where no policy gives another.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable | Self::PolicyError => 503,
            Self::RequestInvalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::NotPermitted => 403,
            Self::Throttled => 429,
            Self::Allowed => 200,
        }
    }

    /// The code of a denial that no single policy makes.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Unavailable => Some("policy_unavailable"),
            Self::RequestInvalid => Some("request_invalid"),
            Self::PolicyError => Some("policy_error"),
            Self::NotPermitted => Some("action_not_allowed"),
            Self::Unauthenticated | Self::Forbidden | Self::Throttled | Self::Allowed => None,
        }
    }

    /// The message of a denial that carries no policy's.
    #[must_use]
    pub fn message(self) -> Option<&'static str> {
        match self {
            Self::Unavailable | Self::PolicyError => {
                Some("The gateway cannot decide about this request at the moment.")
            }
            Self::RequestInvalid => Some("The gateway cannot read what this request asks for."),
            Self::NotPermitted => Some("The gateway does not allow this action for this token."),
            Self::Unauthenticated => Some("The gateway does not accept this token."),
            Self::Forbidden => Some("The gateway does not allow this request for this token."),
            Self::Throttled => Some("The gateway does not allow more requests for this token at the moment."),
            Self::Allowed => None,
        }
    }
}

impl PolicySet {
    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.bundle.limits
    }

    /// What facts are made with. `None` in a general set.
    #[must_use]
    pub fn maker(&self) -> Option<Maker<'_>> {
        let schema = self.schema.as_ref().filter(|_| self.bundle.kind == BundleKind::Profile)?;
        Some(Maker {
            schema,
            statics: &self.statics,
            limits: &self.bundle.limits,
            teams_closed: self.bundle.settings.teams == crate::bundle::Teams::Closed,
        })
    }

    /// The declared action of a request, or the one that stands for all others.
    #[must_use]
    pub fn action(&self, id: &str) -> Option<(&str, &Action)> {
        self.actions
            .get_key_value(id)
            .or_else(|| self.actions.get_key_value(UNKNOWN_ACTION))
            .map(|(id, action)| (id.as_str(), action))
    }

    /// The policy at a place of the table.
    #[must_use]
    pub fn entry(&self, place: u32) -> Option<&Entry> {
        self.table.get(usize::try_from(place).ok()?)
    }

    /// The text of `info`.
    #[must_use]
    pub fn info(&self) -> String {
        let policies = self.table.iter().map(|entry| PolicyInfo {
            id: &entry.id,
            effect: if entry.denial.is_some() || entry.policy.effect() == Effect::Forbid { "forbid" } else { "permit" },
            status: entry.denial.as_ref().map(|d| d.class.status()),
            code: entry.denial.as_ref().map(|d| d.code.as_str()),
            message: entry.denial.as_ref().and_then(|d| d.message.as_deref()),
            file: &entry.file,
            line: entry.line,
        });
        let info = Info {
            v: 1,
            kind: self.bundle.kind,
            digest: &self.digest,
            policies: policies.collect(),
            outcomes: Outcome::ALL.map(|outcome| OutcomeInfo {
                name: outcome.name(),
                status: outcome.status(),
                code: outcome.code(),
                message: outcome.message(),
            }),
            fields: FIELDS,
            settings: &self.bundle.settings,
            limits: &self.bundle.limits,
            warnings: &self.warnings.diagnostics,
            warning_count: self.warnings.count,
        };
        serde_json::to_string(&info).unwrap_or_default()
    }
}

/// Whether a policy's scope admits an action. Scopes cannot err, so a policy that it leaves out is false.
#[must_use]
pub fn admits(policy: &Policy, action: &EntityUID, statics: &Statics) -> bool {
    let within =
        |group: &EntityUID| group == action || statics.get(action).is_some_and(|entity| entity.is_descendant_of(group));
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only.as_ref() == action,
        ActionConstraint::In(groups) => groups.iter().any(|group| within(group)),
    }
}

#[derive(Serialize)]
struct PolicyInfo<'s> {
    id: &'s str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'s str>,
    file: &'s str,
    line: usize,
}

#[derive(Serialize)]
struct OutcomeInfo {
    name: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

#[derive(Serialize)]
struct Info<'s> {
    v: u8,
    kind: BundleKind,
    digest: &'s str,
    policies: Vec<PolicyInfo<'s>>,
    outcomes: [OutcomeInfo; 8],
    fields: [&'static str; 14],
    settings: &'s crate::bundle::Settings,
    limits: &'s Limits,
    warnings: &'s [crate::diagnostic::Diagnostic],
    warning_count: usize,
}
