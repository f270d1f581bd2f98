//! Which store it is, and how far it has come.

use std::fmt;

/// Which store it is, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// Made at random with the store. A backup has that of its store; one that was put back, or accepted, has a new
    /// one.
    pub identity: i64,
    /// The newest revision of a token.
    pub revision: i64,
    /// The identity of the store in whose place this one was put, or accepted.
    pub instead_of: Option<i64>,
}

/// How a store that is there stands to one that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descent {
    /// It is the same one, and has gone on.
    Same,
    /// It was put in the place of that one by somebody who knew.
    Acknowledged,
    /// It is older, or another one.
    Strange,
}

impl Lineage {
    pub(crate) fn descent(&self, seen: &Self) -> Descent {
        if self.identity == seen.identity {
            return if self.revision >= seen.revision { Descent::Same } else { Descent::Strange };
        }
        if self.instead_of == Some(seen.identity) { Descent::Acknowledged } else { Descent::Strange }
    }
}

/// A store that took the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What was seen before.
    pub seen: Lineage,
    /// What is there.
    pub found: Lineage,
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, found } = self;
        if seen.identity == found.identity {
            write!(
                f,
                "changes {} to {} of tokens are not in it: keys that were made by them are unknown, and what was revoked, disabled or restricted by them is not",
                found.revision.saturating_add(1),
                seen.revision
            )
        } else {
            write!(
                f,
                "it is another store, at revision {}, in the place of one at revision {}: none of its changes are in it",
                found.revision, seen.revision
            )
        }
    }
}
