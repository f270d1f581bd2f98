//! The limits of a policy set that a host or a bundle may move.

use serde::{Deserialize, Serialize};

/// Limits that differ from the component's defaults. What is `None` keeps its default.
///
/// ```
/// use cedargate::{Bundle, Limits};
///
/// let mut limits = Limits::default();
/// limits.policies = Some(500);
/// let bundle = Bundle::default_set().with_limits(limits);
/// # let _ = bundle;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of all files of a bundle; 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_bytes: Option<u64>,
    /// Policies of a set; 20,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<u64>,
    /// Bytes of one policy; 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_bytes: Option<u64>,
    /// Depth of an expression's tree; 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u64>,
    /// Bytes of a request; 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Bytes of an id; 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_bytes: Option<u64>,
    /// Entries of a list; 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_entries: Option<u64>,
    /// Bytes of attributes; 16 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_bytes: Option<u64>,
    /// Depth of attributes; 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_depth: Option<u64>,
    /// Requests of a batch; 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// Requests that one instance remembers, so that it need not read them again; 25,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<u64>,
    /// Bytes of a reply to a request; 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_bytes: Option<u64>,
    /// Bytes of a reply while loading; 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_reply_bytes: Option<u64>,
}

impl Limits {
    /// The names in `bundle.toml` and in the component's texts.
    pub(crate) const NAMES: [&str; 13] = [
        "bundle_bytes",
        "policies",
        "policy_bytes",
        "depth",
        "request_bytes",
        "id_bytes",
        "list_entries",
        "attributes_bytes",
        "attributes_depth",
        "batch",
        "decisions",
        "reply_bytes",
        "load_reply_bytes",
    ];

    /// These, and where they say nothing, the others.
    #[must_use]
    pub(crate) fn or(self, other: &Self) -> Self {
        let Self {
            bundle_bytes,
            policies,
            policy_bytes,
            depth,
            request_bytes,
            id_bytes,
            list_entries,
            attributes_bytes,
            attributes_depth,
            batch,
            decisions,
            reply_bytes,
            load_reply_bytes,
        } = self;
        Self {
            bundle_bytes: bundle_bytes.or(other.bundle_bytes),
            policies: policies.or(other.policies),
            policy_bytes: policy_bytes.or(other.policy_bytes),
            depth: depth.or(other.depth),
            request_bytes: request_bytes.or(other.request_bytes),
            id_bytes: id_bytes.or(other.id_bytes),
            list_entries: list_entries.or(other.list_entries),
            attributes_bytes: attributes_bytes.or(other.attributes_bytes),
            attributes_depth: attributes_depth.or(other.attributes_depth),
            batch: batch.or(other.batch),
            decisions: decisions.or(other.decisions),
            reply_bytes: reply_bytes.or(other.reply_bytes),
            load_reply_bytes: load_reply_bytes.or(other.load_reply_bytes),
        }
    }
}
