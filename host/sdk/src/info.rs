//! What a loaded policy set says about itself.

use std::sync::Arc;

use serde::Deserialize;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::limits::Limits;
use crate::outcome::Outcome;

/// A loaded policy set: its digest, the table of its policies, its limits and warnings.
#[derive(Clone, Debug, Deserialize)]
pub struct PolicySetInfo {
    digest: Arc<str>,
    policies: Vec<PolicyInfo>,
    outcomes: Vec<OutcomeInfo>,
    fields: Vec<String>,
    settings: SetSettings,
    limits: Limits,
    #[serde(default = "yes")]
    compiled: bool,
    #[serde(default)]
    warnings: Vec<Diagnostic>,
    #[serde(default)]
    warning_count: usize,
    #[serde(default = "first_texts")]
    texts: u32,
}

/// What a component reads that does not say.
fn first_texts() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// One policy of a set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyInfo {
    /// Its `@id`.
    pub id: String,
    /// Whether it permits or forbids.
    pub effect: PolicyEffect,
    /// The status of a denial by it.
    #[serde(default)]
    pub status: Option<u16>,
    /// The code of a denial by it.
    #[serde(default)]
    pub code: Option<String>,
    /// The message of a denial by it.
    #[serde(default)]
    pub message: Option<String>,
    /// The file that it stands in.
    #[serde(default)]
    pub file: Option<String>,
    /// The line that it starts at, from 1 on.
    #[serde(default)]
    pub line: Option<usize>,
}

/// What a policy does when it is satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyEffect {
    /// It permits.
    Permit,
    /// It forbids.
    Forbid,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OutcomeInfo {
    pub(crate) name: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct SetSettings {
    #[serde(default)]
    teams: Option<String>,
    #[serde(default)]
    max_cache_ms: Option<u64>,
}

impl PolicySetInfo {
    /// Reads the component's text and checks that its table of outcomes is the one that this host knows.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let info: Self = serde_json::from_str(text).map_err(|error| format!("its info cannot be read: {error}"))?;
        for (outcome, entry) in Outcome::ALL.iter().zip(&info.outcomes) {
            if outcome.name() != entry.name || (outcome.is_allow() != (entry.status == 200)) {
                return Err(format!("outcome `{}` stands where `{}` belongs", entry.name, outcome.name()));
            }
        }
        if info.outcomes.len() < Outcome::ALL.len() {
            return Err(format!("it knows {} outcomes of {}", info.outcomes.len(), Outcome::ALL.len()));
        }
        Ok(info)
    }

    /// The digest over schema, policies, static entities, links and limits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn shared_digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// Whether every policy has a compiled form. Where one has none, every decision looks at all policies.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.compiled
    }

    /// The policies, sorted by id.
    #[must_use]
    pub fn policies(&self) -> &[PolicyInfo] {
        &self.policies
    }

    /// What the component warned of.
    #[must_use]
    pub fn warnings(&self) -> Diagnostics {
        Diagnostics::new(self.warning_count, self.warnings.clone())
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether teams that the bundle does not declare are refused.
    #[must_use]
    pub fn teams_closed(&self) -> bool {
        self.settings.teams.as_deref() == Some("closed")
    }

    /// The longest time, in milliseconds, that a decision may be remembered by a cache that does not see every change
    /// of profiles and policies at once.
    #[must_use]
    pub fn max_cache_ms(&self) -> Option<u64> {
        self.settings.max_cache_ms
    }

    /// Whether the component reads `current`, and budgets and attributes of tokens that are asked about.
    pub(crate) fn reads_tokens(&self) -> bool {
        self.texts >= 2
    }

    pub(crate) fn policy(&self, index: u32) -> Option<&PolicyInfo> {
        self.policies.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn outcome(&self, outcome: Outcome) -> Option<&OutcomeInfo> {
        self.outcomes.get(outcome.index())
    }

    pub(crate) fn field(&self, index: u32) -> Option<&str> {
        self.fields.get(usize::try_from(index).ok()?).map(String::as_str)
    }
}
