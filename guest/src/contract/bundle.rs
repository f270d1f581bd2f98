//! The text of a bundle as a host hands it over, and its digest.

use crate::contract::limits::Limits;
use crate::contract::strict::{object, objects, present, present_object};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a set is loaded for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BundleKind {
    /// To decide about principals with profiles.
    #[default]
    Profile,
    /// For the general door alone, with a schema of its own or none.
    General,
}

/// Whether teams must be declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Teams {
    /// A team that the bundle does not declare has no restriction of its own.
    #[default]
    Open,
    /// A team that the bundle does not declare is refused.
    Closed,
}

/// What `bundle.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether teams must be declared.
    pub teams: Teams,
    /// How long a decision may be remembered, in milliseconds. A third party's cache cannot see a revocation.
    pub max_cache_ms: i64,
}

/// The default of [`Settings::max_cache_ms`].
const MAX_CACHE_MS: i64 = 1_000;

/// The longest time that a decision may be remembered: a day.
pub const MAX_CACHE_MS_MAX: i64 = 86_400_000;

impl Default for Settings {
    fn default() -> Self {
        Self { teams: Teams::Open, max_cache_ms: MAX_CACHE_MS }
    }
}

/// A named text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name within the bundle, with `/` between folders.
    pub name: String,
    /// The text.
    pub text: String,
    /// In a general bundle: the id of the only policy in this file.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The version of this text.
    pub v: u8,
    /// What the set is loaded for.
    #[serde(default)]
    pub kind: BundleKind,
    /// The schema in Cedar's own language.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    pub schema: Option<File>,
    /// The files of policies.
    #[serde(deserialize_with = "objects")]
    pub policies: Vec<File>,
    /// The static entities, as Cedar's JSON.
    #[serde(default, deserialize_with = "present_object", skip_serializing_if = "Option::is_none")]
    pub entities: Option<File>,
    /// The files of template links.
    #[serde(default, deserialize_with = "objects")]
    pub links: Vec<File>,
    /// What `bundle.toml` says.
    #[serde(default, deserialize_with = "object")]
    pub settings: Settings,
    /// Whether the host forgets decisions at once where a profile or the set changes. No part of the digest: what is
    /// decided does not depend on it.
    #[serde(default)]
    pub sees_changes: bool,
    /// The limits of this set.
    #[serde(default, deserialize_with = "object")]
    pub limits: Limits,
}

/// A file of links.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The `@id` of a template.
    pub template_id: String,
    /// The id of the policy that the link makes.
    pub link_id: String,
    /// What stands for `?principal` and `?resource`.
    pub args: std::collections::BTreeMap<String, Uid>,
}

/// An entity's type and id, as Cedar's JSON writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uid {
    /// The type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The id.
    pub id: String,
}

impl Bundle {
    /// The bytes of all texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files().map(|(_, file)| file.name.len() + file.text.len()).sum()
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &File)> {
        let one = |tag| move |file| (tag, file);
        self.schema
            .iter()
            .map(one("schema"))
            .chain(self.policies.iter().map(one("policy")))
            .chain(self.entities.iter().map(one("entities")))
            .chain(self.links.iter().map(one("links")))
    }

    /// The digest over everything that a decision can depend on: each part's kind, name and content, each
    /// with its length before it, sorted.
    #[must_use]
    pub fn digest(&self) -> String {
        let kind = serde_json::to_string(&self.kind).unwrap_or_default();
        let settings = serde_json::to_string(&self.settings).unwrap_or_default();
        let limits = serde_json::to_string(&self.limits).unwrap_or_default();
        let mut parts: Vec<[&str; 4]> = self
            .files()
            .map(|(tag, file)| [tag, file.name.as_str(), file.id.as_deref().unwrap_or_default(), file.text.as_str()])
            .collect();
        parts.extend([["kind", "", "", &kind], ["settings", "", "", &settings], ["limits", "", "", &limits]]);
        parts.sort_unstable();
        let mut hash = Sha256::new();
        for text in parts.iter().flatten() {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        format!("sha256:{}", hex(&hash.finalize()))
    }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
