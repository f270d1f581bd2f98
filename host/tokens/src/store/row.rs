//! The rows of a token, as far as somebody looks whether they are as they were written.

use std::fmt;

use cedargate::model::Timestamp;
use serde::{Deserialize, Serialize};

/// A digest of all that a store keeps of a token and its secrets, but for their use: `1:` and a SHA-256. The number says
/// what is covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowSeal(String);

impl RowSeal {
    /// The seal with this digest.
    #[must_use]
    pub fn new(digest: &[u8; 32]) -> Self {
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("1:{digits}"))
    }

    /// Whether both cover the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let kind = |seal: &Self| seal.0.split_once(':').map(|(kind, _)| kind.to_owned());
        kind(self) == kind(other)
    }
}

impl fmt::Display for RowSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in the rows of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The place to go on after.
    pub place: i64,
    /// The id of the token.
    pub id: String,
    /// The name of the token.
    pub name: String,
    /// Whether it holds its name.
    pub name_held: bool,
    /// The team, as it is kept beside the grant.
    pub team_id: Option<String>,
    /// The expiry, as it is kept beside the grant.
    pub expires_at: Option<Timestamp>,
    /// The revision of the token.
    pub revision: i64,
    /// The digest of everything.
    pub seal: RowSeal,
}
