//! What a reload did.

use std::time::Duration;

use crate::diagnostics::Diagnostics;

/// A reload that succeeded: the new set is in force for every call that starts now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReloadReport {
    /// The digest of the set in force before.
    pub previous: String,
    /// The digest of the set in force now.
    pub digest: String,
    /// What the component warned of.
    pub warnings: Diagnostics,
    /// How long loading took.
    pub elapsed: Duration,
}

impl ReloadReport {
    /// Whether another set is in force than before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.previous != self.digest
    }
}
