//! What a store knows about a token.

use serde::{Deserialize, Serialize};

use super::present::present;
use super::{Attributes, Budget, Timestamp};

/// The profile of a token and the state of the presented secret.
///
/// What a token may do follows from this and from nothing else. Two secrets of one token are two profiles.
///
/// ```
/// use cedargate::model::{Bindings, Profile};
///
/// let mut profile = Profile::new("tok_frontend", "general", "api_token", "active");
/// profile.bindings.models = Some(vec!["gpt-4o-mini".to_owned()]);
/// # let _: Bindings = profile.bindings;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// The stable id of the token, never its secret.
    pub id: String,
    /// `general`, `gateway_runtime`, `integration`, `console` or `provider_passthrough`.
    pub purpose: String,
    /// `api_token`, `gateway_runtime`, `user` or `provider_key`.
    pub principal_type: String,
    /// State of the presented secret: `active`, `in_grace`, `revoked`, `expired` or `disabled`.
    pub status: String,
    /// A name for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The organization that the token belongs to.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The team that the token's traffic belongs to.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Roles of a console user: `admin`, `manager`, `viewer`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Valid from this moment on.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Valid until just before this moment.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A secret in its grace period is admitted until just before this moment.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<Timestamp>,
    /// What the token is bound to.
    #[serde(default, skip_serializing_if = "Bindings::is_empty")]
    pub bindings: Bindings,
    /// Its budgets and rates, of which nothing is counted here: what it grants may not go beyond them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Vec<Budget>>,
    /// Facts that the bundle's schema declares as `PrincipalAttributes`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
}

impl Profile {
    /// A profile without bindings, in which nothing optional is set.
    pub fn new(
        id: impl Into<String>,
        purpose: impl Into<String>,
        principal_type: impl Into<String>,
        status: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            purpose: purpose.into(),
            principal_type: principal_type.into(),
            status: status.into(),
            name: None,
            org_id: None,
            team_id: None,
            roles: None,
            not_before: None,
            expires_at: None,
            grace_until: None,
            bindings: Bindings::default(),
            budgets: None,
            attributes: None,
        }
    }

    /// An active token of purpose `general` and type `api_token`: what an app, a script or an editor holds.
    pub fn general(id: impl Into<String>) -> Self {
        Self::new(id, "general", "api_token", "active")
    }
}

/// What a token is bound to. An absent binding does not restrict; an empty list admits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Bindings {
    /// The only gateway that the token works at.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub gateway_id: Option<String>,
    /// The only consumer group that the token works for.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// Providers that the token may use.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// Models that the token may use: `gpt-4o`, `openai/gpt-4o`, `openai/*` or `group:small`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Scopes of the token: `read`, `chat`, `full`, or actions of the control plane.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Networks that the token may be used from, for example `10.0.0.0/8`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
}

impl Bindings {
    /// Whether nothing is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
