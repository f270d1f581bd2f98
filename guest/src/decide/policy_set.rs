//! A loaded set of policies.

use crate::cedar::full::Full;
use crate::contract::abi::TEXTS;
use crate::contract::bundle::{BundleKind, Settings};
use crate::contract::diagnostic::Report;
use crate::contract::limits::Limits;
use crate::contract::reads::FIELDS;
use crate::contract::strict;
use crate::decide::Workspace;
use crate::decide::decision_cache::DecisionCache;
use crate::facts::Maker;
use crate::load::annotation::Denial;
use crate::load::{self, Trust};
use crate::program::rules::Rules;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, OnceCell, RefCell};

/// The action that stands for every action that the schema does not know.
pub const UNKNOWN_ACTION: &str = "(unknown)";

/// What is said about a policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its `@id`.
    pub id: String,
    /// What its denial carries. `None` is a permit, and every policy of a general set.
    pub denial: Option<Denial>,
    /// Whether it forbids.
    pub forbids: bool,
    /// The file it stands in.
    pub file: String,
    /// The line it begins in.
    pub line: usize,
}

/// A set that decides. What is said about it does not change; what it remembers does.
#[derive(Debug)]
pub struct PolicySet {
    /// What it was loaded for.
    pub kind: BundleKind,
    /// What `bundle.toml` says.
    pub settings: Settings,
    /// Whether the host forgets decisions at once where a profile or the set changes.
    pub sees_changes: bool,
    limits: Limits,
    /// The text of the bundle it was made from, as Cedar's parser read it.
    source: String,
    /// The digest of the bundle as it was handed over.
    pub digest: String,
    /// What is said about the policies, sorted by id, bytewise.
    pub table: Vec<Entry>,
    /// The text of what the load found that is no error.
    warnings: String,
    /// The compiled form. `None` in a general set.
    pub rules: Option<Rules>,
    /// Whether every policy has a compiled form. Where one has none, Cedar's evaluator decides.
    pub compiled: bool,
    /// What is remembered of requests.
    pub cache: RefCell<DecisionCache>,
    /// Memory that decisions use one after the other.
    pub workspace: RefCell<Workspace>,
    full: OnceCell<Option<Full>>,
    principals: Cell<u64>,
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

/// What of a set is made once and handed to further instances.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parts {
    /// What it was loaded for.
    pub kind: BundleKind,
    /// What `bundle.toml` says.
    pub settings: Settings,
    /// Whether the host forgets decisions at once where a profile or the set changes.
    pub sees_changes: bool,
    /// The limits in force.
    pub limits: Limits,
    /// The text of the bundle, as Cedar's parser read it.
    pub source: String,
    /// The digest of the bundle as it was handed over.
    pub digest: String,
    /// What is said about the policies.
    pub table: Vec<Entry>,
    /// The text of the warnings.
    pub warnings: String,
    /// The compiled form.
    pub rules: Option<Rules>,
    /// Whether every policy has one.
    pub compiled: bool,
}

impl PolicySet {
    /// A set of its parts. Without Cedar's own forms, they are made of the bundle when they are asked for.
    #[must_use]
    pub fn new(parts: Parts, full: Option<Full>) -> Self {
        let Parts { kind, settings, sees_changes, limits, source, digest, table, warnings, rules, compiled } = parts;
        let cell = OnceCell::new();
        if let Some(full) = full {
            // A new cell is empty.
            let _ = cell.set(Some(full));
        }
        Self {
            cache: RefCell::new(DecisionCache::new(limits.decisions)),
            workspace: RefCell::default(),
            full: cell,
            principals: Cell::default(),
            kind,
            settings,
            sees_changes,
            limits,
            source,
            digest,
            table,
            warnings,
            rules,
            compiled,
        }
    }

    /// What further instances are made of.
    ///
    /// # Errors
    /// That of the writer.
    pub fn write_parts(&self) -> Result<Vec<u8>, postcard::Error> {
        let Self { kind, settings, sees_changes, limits, source, digest, table, warnings, rules, compiled, .. } = self;
        postcard::to_allocvec(&(kind, settings, sees_changes, limits, source, digest, table, warnings, rules, compiled))
    }

    /// Cedar's own forms. `None` where they cannot be made, which no set that was loaded is.
    #[must_use]
    pub fn full(&self) -> Option<&Full> {
        let make = || {
            let bundle = strict::object_from_str(&self.source).ok()?;
            load::build(bundle, self.digest.clone(), Trust::Checked).ok()?.full.into_inner().flatten()
        };
        self.full.get_or_init(make).as_ref()
    }

    /// The number of the next principal.
    #[must_use]
    pub fn next_principal(&self) -> u64 {
        self.principals.set(self.principals.get() + 1);
        self.principals.get()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Until when a decision of this time may be remembered where revocations are not seen.
    #[must_use]
    pub fn latest(&self, at: i64) -> i64 {
        at.saturating_add(self.settings.max_cache_ms)
    }

    /// What facts are made with. `None` in a general set.
    #[must_use]
    pub fn maker(&self) -> Option<Maker<'_>> {
        let rules = self.rules.as_ref().filter(|_| self.kind == BundleKind::Profile)?;
        Some(Maker { ground: &rules.ground, limits: &self.limits })
    }

    /// The policy at a place of the table.
    #[must_use]
    pub fn entry(&self, place: u32) -> Option<&Entry> {
        self.table.get(usize::try_from(place).ok()?)
    }

    /// What the load found that is no error.
    #[must_use]
    pub fn warnings(&self) -> Report {
        strict::object_from_str(&self.warnings).unwrap_or_default()
    }

    /// The text of `info`.
    #[must_use]
    pub fn info(&self) -> String {
        let policies = self.table.iter().map(|entry| PolicyInfo {
            id: &entry.id,
            effect: if entry.forbids { "forbid" } else { "permit" },
            status: entry.denial.as_ref().map(|d| d.class.status()),
            code: entry.denial.as_ref().map(|d| d.code.as_str()),
            message: entry.denial.as_ref().and_then(|d| d.message.as_deref()),
            file: &entry.file,
            line: entry.line,
        });
        let warnings = self.warnings();
        let info = Info {
            v: 1,
            kind: self.kind,
            digest: &self.digest,
            policies: policies.collect(),
            outcomes: Outcome::ALL.map(|outcome| OutcomeInfo {
                name: outcome.name(),
                status: outcome.status(),
                code: outcome.code(),
                message: outcome.message(),
            }),
            fields: FIELDS,
            settings: &self.settings,
            limits: &self.limits,
            compiled: self.compiled,
            warnings: &warnings.diagnostics,
            warning_count: warnings.count,
            texts: TEXTS,
        };
        serde_json::to_string(&info).unwrap_or_default()
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
    fields: [&'static str; FIELDS.len()],
    settings: &'s crate::contract::bundle::Settings,
    limits: &'s Limits,
    compiled: bool,
    warnings: &'s [crate::contract::diagnostic::Diagnostic],
    warning_count: usize,
    texts: u32,
}
