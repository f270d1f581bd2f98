//! Every limit of the plug-in, with its unit in its name and its reason.

use serde::{Deserialize, Serialize};

/// What a bundle, a profile, a request and a reply may cost. A bundle may override each of them; a host
/// overrides them by writing them into the bundle it loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// All texts of a bundle together. A bundle is read whole into memory, several times over while it is
    /// parsed.
    pub bundle_bytes: usize,
    /// Policies and template links of a set.
    pub policies: usize,
    /// The text of one policy.
    pub policy_bytes: usize,
    /// The height of a policy's expression tree after chains of `&&` and `||` are balanced. Cedar's own
    /// guard against deep recursion does not exist in WebAssembly.
    pub depth: usize,
    /// A request's text together with its counters, and a profile's text.
    pub request_bytes: usize,
    /// One id, name or other string of a profile or a request.
    pub id_bytes: usize,
    /// The entries of one list of a profile.
    pub list_entries: usize,
    /// The text of `attributes`.
    pub attributes_bytes: usize,
    /// How deep `attributes` may nest.
    pub attributes_depth: usize,
    /// The requests of one batch.
    pub batch: usize,
    /// The requests that one instance remembers, so that it need not read them again: up to some hundred bytes
    /// each. None: 0.
    pub decisions: usize,
    /// One reply while deciding.
    pub reply_bytes: usize,
    /// One reply while loading: diagnostics, info and image.
    pub load_reply_bytes: usize,
}

/// The depth that a bundle may ask for at most: what the deepest shapes need of the 4 MiB stack that the
/// component is linked with, and of the 256 KiB that a host gives to a call.
pub const DEPTH_MAX: usize = 64;

/// How deep brackets may nest, those included that balance a chain. Brackets cost the parser alone, which
/// comes to the end of a host's 256 KiB at less than 127 of them.
pub const NESTING_MAX: usize = 80;

impl Default for Limits {
    fn default() -> Self {
        Self {
            bundle_bytes: 16 << 20,
            policies: 20_000,
            policy_bytes: 64 << 10,
            depth: DEPTH_MAX,
            request_bytes: 64 << 10,
            id_bytes: 256,
            list_entries: 256,
            attributes_bytes: 16 << 10,
            attributes_depth: 16,
            batch: 1_024,
            decisions: 25_000,
            reply_bytes: 64 << 10,
            load_reply_bytes: 64 << 20,
        }
    }
}
