//! Who presents this secret? Answered from memory.

mod entry;
mod follow;
mod inquiry;
mod revived;
mod shards;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::secret::{Malformed, Presented, SecretHash};
use crate::store::{Store, StoreError, StoredSecret};
use crate::token::Status;

pub use entry::Entry;
use follow::Freshness;
use inquiry::{Answer, Inquiry, Reply, Turn};
use shards::Shards;

/// How long a look into the store may take. One that takes longer says as little as one that fails.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);

/// How a directory keeps up with its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryOptions {
    /// How long to wait between two looks for changes by other processes.
    pub poll_every: Duration,
    /// How long look-ups are answered while the store cannot be read.
    pub stale_after: Duration,
}

impl Default for DirectoryOptions {
    /// Looks every 200 ms, so that a change is seen within a second, and gives up after 5 seconds.
    fn default() -> Self {
        Self { poll_every: Duration::from_millis(200), stale_after: Duration::from_secs(5) }
    }
}

/// The answer of a look-up.
#[derive(Debug)]
pub enum Lookup<P> {
    /// The secret stands for this token. Whether it is still accepted is for the policies to say.
    Found(Arc<Entry<P>>),
    /// No token ever had this secret.
    Unknown,
    /// The store has not been readable for too long, or is not the one that it was, so that nobody can say: 503, never
    /// 401.
    Unavailable,
}

/// All secrets of a store, by their hashes. Cheap to clone.
///
/// `P` is what a host prepares for an entry once: see [`Entry::prepared`].
///
/// A change that is made in this process is seen by every look-up that begins after the change returned; one by
/// another process within a second. Ended secrets are known for ever: they are found, and denied, whatever a store says
/// that was put in the place of this one. Such a one answers nothing until somebody has accepted it; then what was seen
/// revoked is revoked in it, too.
pub struct Directory<P> {
    shared: Arc<Shared<P>>,
}

struct Shared<P> {
    secrets: Shards<P>,
    fresh: Freshness,
    store: Arc<dyn Store>,
    inquiry: Inquiry,
    /// Whether another store took the place of this one, and nobody has accepted it.
    replaced: AtomicBool,
}

/// Whether look-ups are answered, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// They are.
    Available,
    /// The store has not been readable for too long.
    Unreadable,
    /// The store is older than what was seen of it, or another one, and nobody has accepted that.
    Replaced,
}

impl<P: Send + Sync + 'static> Directory<P> {
    /// Loads all secrets, and follows the store as long as any clone of the directory lives. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be read now.
    pub async fn start(store: Arc<dyn Store>, options: DirectoryOptions) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            secrets: Shards::default(),
            fresh: Freshness::new(options.stale_after),
            store: Arc::clone(&store),
            inquiry: Inquiry::default(),
            replaced: AtomicBool::default(),
        });
        follow::start(store, Arc::clone(&shared), options.poll_every).await?;
        Ok(Self { shared })
    }

    /// Looks up what a client presents.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where it can be no secret; nothing was looked up.
    pub fn present(&self, text: &str) -> Result<Lookup<P>, Malformed> {
        Presented::parse(text).map(|presented| self.look_up(&presented.hash()))
    }

    /// Looks up a secret by its hash.
    #[must_use]
    pub fn look_up(&self, hash: &SecretHash) -> Lookup<P> {
        if !self.is_available() {
            return Lookup::Unavailable;
        }
        self.shared.secrets.get(hash).map_or(Lookup::Unknown, Lookup::Found)
    }

    /// Looks up a secret that is not known once more, in the store itself: another process may have made it a moment
    /// ago. `peer` is who presents it.
    ///
    /// The store is asked in vain at most 20 times a second, for one peer at most five times, and for one secret at most
    /// once. Beyond that the answer is the one from memory.
    pub async fn look_again(&self, hash: &SecretHash, peer: IpAddr) -> Lookup<P> {
        match self.look_up(hash) {
            Lookup::Unknown => {}
            answer @ (Lookup::Found(_) | Lookup::Unavailable) => return answer,
        }
        let mut reply = match self.shared.inquiry.turn(Instant::now(), *hash, peer) {
            Turn::Decline => return Lookup::Unknown,
            Turn::Wait(reply) => reply,
            Turn::Ask(tell, reply) => {
                // In a task of its own: a client that goes away does not end what others wait for, nor make them ask anew.
                tokio::spawn(ask(Arc::clone(&self.shared), *hash, tell));
                reply
            }
        };
        match answer(&mut reply).await {
            Answer::Known | Answer::Absent => self.look_up(hash),
            Answer::Unreadable => Lookup::Unavailable,
        }
    }

    /// Takes over secrets of changed tokens.
    pub(crate) fn take(&self, secrets: Vec<StoredSecret>) -> Result<(), StoreError> {
        follow::take(&self.shared, secrets)
    }

    /// How many changes were taken over so far. While it stays the same, so does every answer but
    /// [`Lookup::Unavailable`].
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.shared.secrets.changes()
    }

    /// Whether look-ups are answered: what a readiness check wants to know.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.availability() == Availability::Available
    }

    /// Whether look-ups are answered, and why not.
    #[must_use]
    pub fn availability(&self) -> Availability {
        if self.shared.replaced.load(Ordering::Acquire) {
            return Availability::Replaced;
        }
        if self.shared.fresh.is_fresh() { Availability::Available } else { Availability::Unreadable }
    }

    /// The secrets of tokens that carry attributes and were not ended: whether they can be used depends on the
    /// policies' schema.
    #[must_use]
    pub fn with_attributes(&self) -> Vec<Arc<Entry<P>>> {
        self.shared.secrets.filter(|entry| entry.status() != Status::Revoked && entry.has_attributes())
    }

    /// How many secrets are known, ended ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.secrets.len()
    }

    /// Whether no secret is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Asks the store for a secret, takes over what it says, and tells.
async fn ask<P: Send + Sync + 'static>(
    shared: Arc<Shared<P>>,
    hash: SecretHash,
    tell: tokio::sync::watch::Sender<Option<Answer>>,
) {
    let found = match shared.store.secret(&hash).await {
        Ok(Some(secret)) => follow::take(&shared, vec![secret]).map(|()| Answer::Known),
        Ok(None) => Ok(Answer::Absent),
        Err(error) => Err(error),
    };
    let answer = found.unwrap_or_else(|error| {
        tracing::warn!(%error, "an unknown token cannot be looked for in the store");
        Answer::Unreadable
    });
    tell.send_replace(Some(answer));
}

/// What the store says, as far as it says it in time.
async fn answer(reply: &mut Reply) -> Answer {
    let answered = tokio::time::timeout(LOOK_PATIENCE, reply.wait_for(Option::is_some)).await;
    answered.ok().and_then(|answered| answered.ok().and_then(|answer| *answer)).unwrap_or(Answer::Unreadable)
}

impl<P> Clone for Directory<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P> std::fmt::Debug for Directory<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}
