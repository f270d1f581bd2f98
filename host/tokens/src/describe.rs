//! A token as JSON for people and logs: everything but its secrets and their hashes.

use cedargate::model::{Attributes, Bindings, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::audit::ChainHash;
use crate::store::RowSeal;
use crate::token::{Allowance, Label, SecretVersion, Token};

/// The newest secrets of a token that are described one by one. A token that is rotated each hour has thousands, and
/// each change writes the description twice.
const SECRETS_TOLD: usize = 8;

/// A token as the audit log keeps it.
#[derive(Serialize)]
struct Described<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
    purpose: &'a str,
    principal_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Bindings::is_empty")]
    bindings: &'a Bindings,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Attributes>,
    #[serde(skip_serializing_if = "<[Allowance]>::is_empty")]
    budgets: &'a [Allowance],
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    secrets: Vec<DescribedSecret<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    older_secrets: Option<OlderSecrets>,
    /// Everything that stands in the rows of the token, as one digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<&'a RowSeal>,
}

/// Secrets that are not told one by one: how many, and the SHA-256 of how they would be told.
#[derive(Serialize)]
struct OlderSecrets {
    count: usize,
    sha256: ChainHash,
}

#[derive(Serialize)]
struct DescribedSecret<'a> {
    version: u32,
    public_part: &'a str,
    /// Enough of the hash to notice that another was put in its place.
    fingerprint: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_key: Option<&'a str>,
}

/// The token as JSON, without its revision, its use, and the hashes of its secrets; with the digest of its rows, which
/// covers all but its use.
pub(crate) fn describe(token: &Token, rows: Option<&RowSeal>) -> serde_json::Result<String> {
    let Token {
        id,
        name,
        description,
        label,
        grant,
        allowances,
        created_at,
        disabled_at,
        revoked_at,
        secrets,
        last_used_at: _,
        last_refused_at: _,
        revision: _,
    } = token;
    let (older, newer) = secrets.split_at_checked(secrets.len().saturating_sub(SECRETS_TOLD)).unwrap_or_default();
    serde_json::to_string(&Described {
        id,
        name,
        description: description.as_deref(),
        label: *label,
        purpose: &grant.purpose,
        principal_type: &grant.principal_type,
        org_id: grant.org_id.as_deref(),
        team_id: grant.team_id.as_deref(),
        not_before: grant.not_before,
        expires_at: grant.expires_at,
        bindings: &grant.bindings,
        attributes: grant.attributes.as_ref(),
        budgets: allowances,
        created_at: *created_at,
        disabled_at: *disabled_at,
        revoked_at: *revoked_at,
        secrets: newer.iter().map(DescribedSecret::from).collect(),
        older_secrets: older_secrets(older)?,
        rows,
    })
}

fn older_secrets(secrets: &[SecretVersion]) -> serde_json::Result<Option<OlderSecrets>> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let told: Vec<_> = secrets.iter().map(DescribedSecret::from).collect();
    let digest = Sha256::digest(serde_json::to_vec(&told)?);
    Ok(Some(OlderSecrets { count: secrets.len(), sha256: ChainHash::from_bytes(digest.into()) }))
}

impl<'a> From<&'a SecretVersion> for DescribedSecret<'a> {
    fn from(secret: &'a SecretVersion) -> Self {
        let SecretVersion {
            version,
            hash,
            public_part,
            created_at,
            grace_until,
            revoked_at,
            rotation_key,
            rotated_at: _,
            last_used_at: _,
            last_refused_at: _,
        } = secret;
        Self {
            version: *version,
            public_part,
            fingerprint: hash.public_part(),
            created_at: *created_at,
            grace_until: *grace_until,
            revoked_at: *revoked_at,
            rotation_key: rotation_key.as_deref(),
        }
    }
}
