//! A token as JSON for people and scripts, without its secrets.

use cedargate::model::Timestamp;
use cedargate_tokens::{Allowance, SecretVersion, Token};
use serde::Serialize;

/// A moment in whole seconds: `2026-04-15T14:00:00Z`.
pub(crate) fn seconds(at: Timestamp) -> String {
    let millis = at.as_millis();
    Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(1_000))).to_string()
}

/// A token, in the order in which people look for its parts.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    name: &'a str,
    token_type: &'a str,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refused_at: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_models: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_providers: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<&'a [String]>,
    #[serde(skip_serializing_if = "<[Allowance]>::is_empty")]
    budgets: &'a [Allowance],
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    id: &'a str,
    purpose: &'a str,
    principal_type: &'a str,
    secrets: Vec<ShownSecret<'a>>,
}

#[derive(Serialize)]
struct ShownSecret<'a> {
    version: u32,
    key: &'a str,
    status: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refused_at: Option<String>,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(token: &'a Token, at: Timestamp) -> Self {
        let grant = &token.grant;
        let bindings = &grant.bindings;
        Self {
            name: &token.name,
            token_type: token.type_name(),
            created_at: seconds(token.created_at),
            expires_at: grant.expires_at.map(seconds),
            last_used_at: token.last_used_at.map(seconds),
            last_refused_at: token.last_refused_at.map(seconds),
            status: token.status(at).name(),
            allowed_models: bindings.models.as_deref(),
            allowed_providers: bindings.providers.as_deref(),
            gateway_id: bindings.gateway_id.as_deref(),
            team: grant.team_id.as_deref(),
            consumer_group: bindings.consumer_group.as_deref(),
            scopes: bindings.scopes.as_deref(),
            networks: bindings.networks.as_deref(),
            budgets: &token.allowances,
            not_before: grant.not_before.map(seconds),
            org: grant.org_id.as_deref(),
            description: token.description.as_deref(),
            id: &token.id,
            purpose: &grant.purpose,
            principal_type: &grant.principal_type,
            secrets: token.secrets.iter().map(|secret| ShownSecret::new(token, secret, at)).collect(),
        }
    }
}

impl<'a> ShownSecret<'a> {
    fn new(token: &Token, secret: &'a SecretVersion, at: Timestamp) -> Self {
        Self {
            version: secret.version,
            key: &secret.public_part,
            status: token.secret_status(secret, at).name(),
            created_at: seconds(secret.created_at),
            grace_until: secret.grace_until.map(seconds),
            revoked_at: secret.revoked_at.map(seconds),
            last_used_at: secret.last_used_at.map(seconds),
            last_refused_at: secret.last_refused_at.map(seconds),
        }
    }
}
