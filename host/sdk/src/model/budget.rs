//! How much of what may be spent in which window.

use serde::{Deserialize, Serialize};

/// How much may be spent in each window: what a token is given, not what is left of it.
///
/// ```
/// use cedargate::model::Budget;
///
/// let budget = Budget::new("requests", "minute", 60);
/// assert_eq!(serde_json::to_string(&budget)?, r#"{"unit":"requests","window":"minute","limit":60}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// What is counted. Compared byte for byte.
    pub unit: String,
    /// When the count begins anew. Compared byte for byte.
    pub window: String,
    /// How much, in the unit: at most 2⁵³.
    pub limit: u64,
}

impl Budget {
    /// A budget or a rate.
    pub fn new(unit: impl Into<String>, window: impl Into<String>, limit: u64) -> Self {
        Self { unit: unit.into(), window: window.into(), limit }
    }
}
