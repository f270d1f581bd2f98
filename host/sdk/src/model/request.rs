//! What a request is or claims.

use serde::{Deserialize, Serialize};

use super::present::present;
use super::{Attributes, Bindings, Budget, Counter, Timestamp};

/// What a request is or claims, and the host's counters for it.
///
/// ```
/// use cedargate::model::Request;
///
/// let mut request = Request::new("chat.completions");
/// request.provider = Some("openai".to_owned());
/// request.model = Some("gpt-4o".to_owned());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Request {
    /// What is asked for, for example `chat.completions` or `tokens.create`.
    pub action: String,
    /// The provider that serves the model.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model, as the provider names it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The gateway that received the request.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub gateway_id: Option<String>,
    /// The team that the request claims to be for.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The consumer group that the request comes from.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// The client's address, IPv4 or IPv6.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// The organization that the request was made to.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The token as it would be stored, for `tokens.create` and `tokens.edit`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The token as it is, for what is done with one that exists, and for each row of a list.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub current: Option<Target>,
    /// Facts that the bundle's schema declares as `RequestAttributes`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// The token's budget.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub budget: Option<Counter>,
    /// The team's budget.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub team_budget: Option<Counter>,
    /// The token's rate.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub rate: Option<Counter>,
    /// The team's rate.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub team_rate: Option<Counter>,
}

impl Request {
    /// A request for an action, in which nothing else is said.
    pub fn new(action: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            provider: None,
            model: None,
            gateway_id: None,
            team_id: None,
            consumer_group: None,
            client_ip: None,
            org_id: None,
            target: None,
            current: None,
            attributes: None,
            budget: None,
            team_budget: None,
            rate: None,
            team_rate: None,
        }
    }
}

/// A token that is asked about: as it is (`current`), or as it would be stored (`target`).
///
/// Every field is optional, and an absent one is a token without it, not one of which nobody knows: hand over the
/// whole token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Target {
    /// Its id; absent for one that is to be made.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its purpose.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Its principal type.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub principal_type: Option<String>,
    /// Its organization.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Its team.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Its roles.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Its bindings.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub bindings: Option<Bindings>,
    /// Valid from this moment on.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Valid until just before this moment.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its budgets and rates.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Vec<Budget>>,
    /// Facts that the bundle's schema declares as `PrincipalAttributes`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
}
