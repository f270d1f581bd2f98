//! One decision, as it is remembered.

use std::sync::Arc;

use cedargate::model::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a request was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Admitted.
    Allow,
    /// Denied.
    Deny,
}

impl Verdict {
    /// `allow` or `deny`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A decision and what became of the request. Never the body of a request or of a response, never a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The id of the request, as the client saw it.
    pub id: Arc<str>,
    /// When it was decided.
    pub time: Timestamp,
    /// The id of the token, or the fingerprint of a provider's key; absent where nobody is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Arc<str>>,
    /// The name of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_name: Option<Arc<str>>,
    /// Which secret of the token was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_version: Option<u32>,
    /// The team that the traffic belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Arc<str>>,
    /// What was asked for, for example `chat.completions`.
    pub action: Arc<str>,
    /// The provider that was to serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Arc<str>>,
    /// The model that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// Whether it was admitted.
    pub decision: Verdict,
    /// The status of the response.
    pub status: u16,
    /// The code of a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Arc<str>>,
    /// The determining policies.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub policies: Arc<[Arc<str>]>,
    /// The digest of the policy set that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_set: Option<Arc<str>>,
    /// How long the request took until its response was complete, in microseconds.
    pub latency_us: u64,
    /// Tokens of the model that went in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    /// Tokens of the model that came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// What it cost, in billionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nanos: Option<u64>,
    /// What the candidate policies would have decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// What an admitted request is counted under, where that is not its model. It is not kept.
    #[serde(skip)]
    pub counted_as: Option<Arc<str>>,
}

/// What a candidate policy set would have decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// Whether it would have admitted the request.
    pub decision: Verdict,
    /// The status that it would have answered with.
    pub status: u16,
    /// The code of a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Arc<str>>,
    /// The determining policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Arc<str>>,
    /// The digest of the candidate set.
    pub policy_set: Arc<str>,
}

fn is_empty(list: &[Arc<str>]) -> bool {
    list.is_empty()
}

impl Event {
    /// A decision about which nothing else is known.
    pub fn new(id: impl Into<Arc<str>>, time: Timestamp, action: impl Into<Arc<str>>, decision: Verdict) -> Self {
        Self {
            id: id.into(),
            time,
            token_id: None,
            token_name: None,
            secret_version: None,
            team: None,
            action: action.into(),
            provider: None,
            model: None,
            decision,
            status: if decision == Verdict::Allow { 200 } else { 403 },
            code: None,
            policies: Arc::default(),
            policy_set: None,
            latency_us: 0,
            tokens_in: None,
            tokens_out: None,
            cost_nanos: None,
            shadow: None,
            counted_as: None,
        }
    }

    /// Whether the candidate policies would have turned the decision around.
    #[must_use]
    pub fn would_flip(&self) -> bool {
        self.shadow.as_ref().is_some_and(|shadow| shadow.decision != self.decision)
    }

    /// Whether the request ended in an error, of the gateway or of the provider.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.status >= 400
    }
}
