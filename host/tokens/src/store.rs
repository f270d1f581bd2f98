//! Where tokens, their history and their use are kept.
//!
//! The rules of a token's life stand in [`crate::Tokens`]; a store only keeps states, all or nothing. So another
//! database has little to do: three small traits.

mod budgets;
mod change;
mod error;
mod lineage;
mod row;
mod sqlite;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use cedargate::model::Timestamp;

use crate::audit::AuditEntry;
use crate::record::{Batch, Event, EventFilter, UsageCount};
use crate::secret::SecretHash;
use crate::token::Token;

pub use budgets::{Ask, BudgetStore, Granted, Settlement};
pub use change::{Change, ChangeSet};
pub use error::StoreError;
pub(crate) use lineage::Descent;
pub use lineage::{Lineage, Replacement};
pub use row::{RowSeal, StoredRow};
pub(crate) use sqlite::RESTORED;
pub use sqlite::{
    Checked, IfReplaced, Lost, Restored, SqliteOptions, SqliteStore, is_file_of_store, is_same_file, restore,
};

/// What a method of a store returns.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of tokens and of everything that is recorded about them.
pub trait Store: TokenStore + RecordStore + BudgetStore + fmt::Debug {}

impl<S: TokenStore + RecordStore + BudgetStore + fmt::Debug> Store for S {}

/// Keeps tokens, and the log of their changes.
pub trait TokenStore: Send + Sync + 'static {
    /// Makes changes, all or none, and returns the tokens' new revisions. Each change is written to the audit log
    /// together with it.
    ///
    /// Refused are changes of tokens that are not at the revision that was expected ([`StoreError::Conflict`]), names
    /// of live tokens ([`StoreError::NameTaken`]; a token that has expired gives its name up) and secrets that are
    /// known ([`StoreError::SecretKnown`]).
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Work<'a, Vec<i64>>;

    /// The token with this id.
    fn token_by_id<'a>(&'a self, id: &'a str) -> Work<'a, Option<Token>>;

    /// All tokens that have or had this name, the one that holds it first, then the newest, at most `limit`.
    fn tokens_by_name<'a>(&'a self, name: &'a str, limit: u32) -> Work<'a, Vec<Token>>;

    /// Tokens in the order in which they were made, at most `limit` after the place `after`.
    fn tokens(&self, after: i64, limit: u32) -> Work<'_, TokenPage>;

    /// The place of the token with this id, to go on after.
    fn token_place<'a>(&'a self, id: &'a str) -> Work<'a, Option<i64>>;

    /// What stands in the rows of tokens, in the same order, at most `limit` after the place `after`.
    fn rows(&self, after: i64, limit: u32) -> Work<'_, Vec<StoredRow>>;

    /// Entries of the audit log after a number, oldest first, at most `limit`.
    fn audit_after(&self, number: i64, limit: u32) -> Work<'_, Vec<AuditEntry>>;

    /// The last entry of the audit log.
    fn audit_last(&self) -> Work<'_, Option<AuditEntry>>;

    /// The newest time that anything was stored at, unless nothing was.
    fn newest(&self) -> Work<'_, Option<Timestamp>>;

    /// Takes this for the newest time from now on.
    fn forget_newest(&self, now: Timestamp) -> Work<'_, ()>;

    /// The secret with this hash, unless no token has or had it.
    fn secret<'a>(&'a self, hash: &'a SecretHash) -> Work<'a, Option<StoredSecret>>;

    /// Which store this is now, and how far it has come.
    fn lineage(&self) -> Work<'_, Lineage>;

    /// What was last seen of it, by whomever, where that was kept. [`lineage`](Self::lineage) is asked after this.
    fn seen(&self) -> Option<Lineage> {
        None
    }

    /// The secrets of tokens that were changed after a revision, in the order of revisions, those of at most
    /// `tokens_max` tokens; nothing where there are no more.
    ///
    /// Revisions must become visible in their order: whoever has seen one never misses an earlier one.
    fn secrets_after(&self, revision: i64, tokens_max: u32) -> Work<'_, Option<SecretsPage>>;
}

/// Keeps what is recorded about the use of tokens.
pub trait RecordStore: Send + Sync + 'static {
    /// Writes a batch, all or nothing.
    fn write<'a>(&'a self, batch: &'a Batch) -> Work<'a, ()>;

    /// Makes what is old smaller: counts of hours become counts of days, and what was spent in windows that ended
    /// long ago is forgotten.
    fn tidy(&self, at: Timestamp) -> Work<'_, ()>;

    /// What a token used since the beginning of an hour, by model, sorted by model.
    fn usage<'a>(&'a self, token_id: &'a str, since: Timestamp) -> Work<'a, Vec<(String, UsageCount)>>;

    /// Events that match, with their numbers, oldest first: the last `limit` of them, or the first `limit` after a
    /// number.
    fn events<'a>(&'a self, filter: &'a EventFilter, after: Option<i64>, limit: u32) -> Work<'a, Vec<(i64, Event)>>;
}

/// Some tokens of a store.
#[derive(Clone, Debug, Default)]
pub struct TokenPage {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// The place to go on after, unless these were the last.
    pub next: Option<i64>,
}

/// Secrets of some tokens as they were fetched. To read them takes about as long, and can be done while the next ones
/// are fetched.
pub struct SecretsPage {
    last: i64,
    read: ReadSecrets,
}

type ReadSecrets = Box<dyn FnOnce() -> Result<Vec<StoredSecret>, StoreError> + Send>;

impl SecretsPage {
    /// A page that ends with this revision.
    pub fn new(last: i64, read: impl FnOnce() -> Result<Vec<StoredSecret>, StoreError> + Send + 'static) -> Self {
        Self { last, read: Box::new(read) }
    }

    /// The newest revision on the page: the next one begins after it.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last
    }

    /// The secrets, in the order of revisions.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] where the store holds something that is no secret.
    pub fn read(self) -> Result<Vec<StoredSecret>, StoreError> {
        (self.read)()
    }
}

impl fmt::Debug for SecretsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsPage").field("last", &self.last).finish_non_exhaustive()
    }
}

/// A secret of a token, with what a look-up of it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// What the secret is looked up by.
    pub hash: SecretHash,
    /// Which of the token's secrets it is.
    pub version: u32,
    /// The id of the token.
    pub token_id: String,
    /// The name of the token.
    pub name: String,
    /// The team of the token.
    pub team_id: Option<String>,
    /// The rest of the token's [`crate::Grant`], as JSON.
    pub grant: String,
    /// The token's allowances, as JSON.
    pub allowances: Option<String>,
    /// Whether the token is switched off.
    pub disabled: bool,
    /// Whether the token or this secret of it was revoked.
    pub revoked: bool,
    /// The end of the grace period of a superseded secret.
    pub grace_until: Option<Timestamp>,
    /// The revision of the token.
    pub revision: i64,
}

impl StoredSecret {
    /// The secrets of a token as its store would return them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] where the token cannot be written as JSON, which no value of the type is.
    pub fn of(token: &Token) -> Result<Vec<Self>, StoreError> {
        let grant = serde_json::to_string(&token.grant).map_err(StoreError::invalid)?;
        let allowances = match token.allowances.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&token.allowances).map_err(StoreError::invalid)?),
        };
        let secrets = token.secrets.iter().map(|version| Self {
            hash: version.hash,
            version: version.version,
            token_id: token.id.clone(),
            name: token.name.clone(),
            team_id: token.grant.team_id.clone(),
            grant: grant.clone(),
            allowances: allowances.clone(),
            disabled: token.disabled_at.is_some(),
            revoked: token.revoked_at.is_some() || version.revoked_at.is_some(),
            grace_until: version.grace_until,
            revision: token.revision,
        });
        Ok(secrets.collect())
    }
}
