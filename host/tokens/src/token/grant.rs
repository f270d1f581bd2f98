//! What a token may do: its profile without the state of a secret.

use cedargate::model::{Attributes, Bindings, Profile, Timestamp};
use serde::{Deserialize, Serialize};

use super::allowance::{Allowance, budgets};
use super::status::SecretState;

/// What a token may do. Together with an id, a name and the state of a secret it is a [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `general`, `gateway_runtime` or `integration`; whatever else the policies know.
    pub purpose: String,
    /// `api_token` or `gateway_runtime`.
    pub principal_type: String,
    /// The organization that the token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The team that the token's traffic belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Valid from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Valid until just before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the token is bound to.
    #[serde(default, skip_serializing_if = "Bindings::is_empty")]
    pub bindings: Bindings,
    /// Facts that the bundle's schema declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
}

impl Grant {
    /// What an app, a script or an editor holds: `general`, `api_token`, without any restriction.
    #[must_use]
    pub fn general() -> Self {
        Self::new("general", "api_token")
    }

    /// A grant without bindings.
    pub fn new(purpose: impl Into<String>, principal_type: impl Into<String>) -> Self {
        Self {
            purpose: purpose.into(),
            principal_type: principal_type.into(),
            org_id: None,
            team_id: None,
            not_before: None,
            expires_at: None,
            bindings: Bindings::default(),
            attributes: None,
        }
    }

    pub(crate) fn profile(&self, id: &str, name: &str, allowances: &[Allowance], state: SecretState) -> Profile {
        let Self { purpose, principal_type, org_id, team_id, not_before, expires_at, bindings, attributes } = self;
        let mut profile = Profile::new(id, purpose, principal_type, state.status.name());
        profile.name = Some(name.to_owned());
        profile.org_id.clone_from(org_id);
        profile.team_id.clone_from(team_id);
        profile.not_before = *not_before;
        profile.expires_at = *expires_at;
        profile.grace_until = state.grace_until;
        profile.bindings.clone_from(bindings);
        profile.budgets = budgets(allowances);
        profile.attributes.clone_from(attributes);
        profile
    }
}
