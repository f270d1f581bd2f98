//! Who changed what, when: a log that only grows, each entry sealed with the hash of the one before it.

mod syslog;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cedargate::model::Timestamp;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::store::Replacement;

pub use syslog::{SYSLOG_SOCKET, syslog};

/// What an entry's hash begins with, so that it is the hash of nothing else.
const DOMAIN: &[u8] = b"cedargate audit 1";

/// One change of a token, without any secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// 1 for the first entry.
    pub number: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// Who made it.
    pub actor: String,
    /// What was done: `create`, `edit`, `disable`, `enable`, `rotate`, `revoke`, `import`, or `restored-store` where a
    /// store took the place of another one in which something was revoked.
    pub action: String,
    /// The id of the token.
    pub token_id: String,
    /// The name of the token.
    pub token_name: String,
    /// The token before the change, as JSON; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The token after the change, as JSON.
    pub after: String,
    /// The seal of this entry and, through the one before it, of all earlier ones.
    pub hash: ChainHash,
}

impl AuditEntry {
    /// The hash that this entry must have after one with the hash `previous`.
    #[must_use]
    pub fn sealed(&self, previous: &ChainHash) -> ChainHash {
        let Self { number, at, actor, action, token_id, token_name, before, after, hash: _ } = self;
        let mut digest = Sha256::new_with_prefix(DOMAIN);
        digest.update(previous.0);
        digest.update(number.to_be_bytes());
        digest.update(at.as_millis().to_be_bytes());
        let mut part = |text: Option<&str>| {
            // The length stands before the text, so that no two entries are the same bytes; an absent text has a
            // length that no text has.
            let length = text.map_or(u64::MAX, |text| u64::try_from(text.len()).unwrap_or(u64::MAX - 1));
            digest.update(length.to_be_bytes());
            digest.update(text.unwrap_or_default());
        };
        for text in [actor, action, token_id, token_name] {
            part(Some(text));
        }
        part(before.as_deref());
        part(Some(after));
        ChainHash(digest.finalize().into())
    }
}

/// The hash of an audit entry. The last one is the head: who keeps it can prove later that nothing before it was
/// changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHash(pub(crate) [u8; 32]);

impl ChainHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not the hash of an audit entry.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the head of an audit log: it has 64 hexadecimal digits")]
pub struct ChainHashError(String);

impl FromStr for ChainHash {
    type Err = ChainHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::hex::decode(text).map(Self).ok_or_else(|| ChainHashError(text.chars().take(80).collect()))
    }
}

/// What a look at the whole log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one, unless there is none.
    pub head: Option<ChainHash>,
    /// How many entries came after the head that was asked for.
    pub after_known: Option<u64>,
    /// How many tokens were last changed by a version whose entries cover less of them: not the whole hashes of their
    /// secrets, nor when these were rotated. The next change of a token covers all of it.
    pub covered_in_part: u64,
}

/// The log is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Tampered {
    /// An entry does not fit its hash, or the one before it.
    #[error("entry {number} was changed after it was written")]
    Changed {
        /// Its number.
        number: i64,
    },
    /// An entry is missing.
    #[error("entry {number} is missing")]
    Missing {
        /// Its number.
        number: i64,
    },
    /// No entry has the hash that was kept.
    #[error("no entry has the hash {head}: entries were cut off, or all were written anew")]
    HeadUnknown {
        /// The hash that was kept.
        head: ChainHash,
    },
    /// What the log says of a token is not how the token is.
    #[error(
        "the token `{token_name}` ({token_id}) was changed past the log: {}", says_otherwise(*.number)
    )]
    TokenChanged {
        /// The id of the token.
        token_id: String,
        /// The name of the token.
        token_name: String,
        /// The number of the last entry about it that holds; 0 where there is none.
        number: i64,
    },
    /// There are fewer entries than changes.
    #[error("the log ends with entry {entries}, and {changes} changes were made: entries were cut off")]
    CutOff {
        /// The number of the last entry.
        entries: i64,
        /// How many changes were made.
        changes: i64,
    },
    /// The store is older than what was seen of it, or another one.
    #[error("the token store was replaced: {0}")]
    Replaced(Replacement),
}

fn says_otherwise(number: i64) -> String {
    match number {
        0 => "no entry tells of it".to_owned(),
        number => format!("entry {number} says otherwise"),
    }
}

/// A change that was sealed, and the head of the log with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The number of the last entry.
    pub number: i64,
    /// Its hash.
    pub head: ChainHash,
}

/// Somebody who is told the head of the log with each change, and keeps it where whoever may write the store may not.
pub type Witness = Arc<dyn Fn(&Sealed) + Send + Sync>;

/// Walks a log from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    entries: u64,
    number: i64,
    last: ChainHash,
    known: Option<ChainHash>,
    known_at: Option<u64>,
}

impl Walk {
    pub(crate) fn towards(known: Option<ChainHash>) -> Self {
        Self { known, ..Self::default() }
    }

    pub(crate) fn step(&mut self, entry: &AuditEntry) -> Result<(), Tampered> {
        let expected = self.number.saturating_add(1);
        if entry.number != expected {
            return Err(Tampered::Missing { number: expected });
        }
        if entry.sealed(&self.last) != entry.hash {
            return Err(Tampered::Changed { number: entry.number });
        }
        self.number = entry.number;
        self.last = entry.hash;
        self.entries = self.entries.saturating_add(1);
        if self.known == Some(entry.hash) {
            self.known_at = Some(self.entries);
        }
        Ok(())
    }

    pub(crate) fn end(self) -> Result<Verified, Tampered> {
        if let (Some(head), None) = (self.known, self.known_at) {
            return Err(Tampered::HeadUnknown { head });
        }
        Ok(Verified {
            entries: self.entries,
            head: (self.entries > 0).then_some(self.last),
            after_known: self.known_at.map(|at| self.entries.saturating_sub(at)),
            covered_in_part: 0,
        })
    }
}
