//! What is done with tokens: made, changed, rotated, ended.

mod actor;
mod check;
mod choose;
mod create;
mod edit;
mod export;
mod mistake;
mod plan;
mod revoke;
mod rotate;
mod verify;

use std::fmt;
use std::sync::Arc;

use cedargate::model::Timestamp;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::store::{Change, ChangeSet, Store, StoreError, StoredSecret};
use crate::token::Token;

pub use actor::{Actor, ActorError};
pub use check::{PROFILE_BYTES_MAX, ProfileCheck, Rules, TEXT_BYTES_MAX};
pub use choose::{Selector, TokenFilter, TokenFilterError, UnknownFilter};
pub use create::{Created, KnownSecret, NewToken};
pub use edit::{Edit, Update};
pub use export::{csv_cell, csv_header, csv_row};
pub use mistake::TokenError;
pub use plan::{Draft, Plan, TRIES_MAX};
pub use revoke::{BULK_MAX, Choice};
pub use rotate::{GRACE_DEFAULT, GRACE_MAX, REPEAT_AFTER, Rotated, Rotation};
pub(crate) use verify::{cut_off, verify};

/// Does what is asked for with tokens, in the name of somebody. Cheap to clone.
///
/// Who may ask for what is not decided here: a command line acts for whoever may write the file, and a control
/// plane asks the policies first.
#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    actor: Actor,
    rules: Rules,
    directories: Vec<Arc<dyn Notified>>,
}

/// What learns of changes at once.
trait Notified: Send + Sync {
    fn changed(&self, secrets: Vec<StoredSecret>) -> Result<(), StoreError>;
}

impl<P: Send + Sync + 'static> Notified for Directory<P> {
    fn changed(&self, secrets: Vec<StoredSecret>) -> Result<(), StoreError> {
        self.take(secrets)
    }
}

impl Tokens {
    /// Works on a store, in the name of somebody.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<Clock>, actor: Actor) -> Self {
        Self { store, clock, actor, rules: Rules::default(), directories: Vec::new() }
    }

    /// The same in another name.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// Under these rules.
    #[must_use]
    pub fn under(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Every change is in this directory before the call that makes it returns.
    #[must_use]
    pub fn notifying<P: Send + Sync + 'static>(mut self, directory: &Directory<P>) -> Self {
        self.directories.push(Arc::new(directory.clone()));
        self
    }

    /// The time that changes are made at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes changes and tells the directories. Returns the tokens as they are now.
    async fn commit(&self, at: Timestamp, changes: Vec<Change>) -> Result<Vec<Token>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let set = ChangeSet { at, actor: self.actor.to_string(), changes };
        let revisions = self.store.apply(&set).await?;
        let changed = set.changes.into_iter().zip(revisions);
        let tokens: Vec<_> = changed.map(|(change, revision)| Token { revision, ..change.after }).collect();
        for token in &tokens {
            for directory in &self.directories {
                directory.changed(StoredSecret::of(token)?)?;
            }
        }
        Ok(tokens)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("store", &self.store).field("actor", &self.actor).finish_non_exhaustive()
    }
}
