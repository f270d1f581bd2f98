//! Keeps a directory up to date with its store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Shared;
use super::entry::Entry;
use super::revived;
use crate::store::{Descent, Lineage, Replacement, SecretsPage, Store, StoreError, StoredSecret};

/// Tokens that are fetched at a time. A page is one value in the store: with the longest grants it has some 100 MB.
const PAGE_TOKENS: u32 = 1_000;

/// Pages that were fetched and wait to be read.
const PAGES_AHEAD: usize = 2;

/// When the store was last read.
pub(super) struct Freshness {
    started: Instant,
    /// Milliseconds after `started`.
    read_at: AtomicU64,
    stale_after: Duration,
}

impl Freshness {
    pub(super) fn new(stale_after: Duration) -> Self {
        Self { started: Instant::now(), read_at: AtomicU64::new(0), stale_after }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note_read(&self, begun_ms: u64) {
        self.read_at.fetch_max(begun_ms, Ordering::Release);
    }

    pub(super) fn is_fresh(&self) -> bool {
        let age = self.elapsed_ms().saturating_sub(self.read_at.load(Ordering::Acquire));
        Duration::from_millis(age) <= self.stale_after
    }
}

/// Loads everything, then follows. A store that took another one's place, and that nobody has accepted, is not loaded
/// until somebody does.
pub(super) async fn start<P: Send + Sync + 'static>(
    store: Arc<dyn Store>,
    shared: Arc<Shared<P>>,
    poll_every: Duration,
) -> Result<(), StoreError> {
    let seen = match store.seen() {
        Some(seen) => seen,
        None => store.lineage().await?,
    };
    let mut follower = Follower { store, seen, read: 0, failing: false };
    match follower.look(&shared).await {
        Err(error @ StoreError::Replaced(_)) => follower.complain(&error),
        looked => looked?,
    }
    tokio::spawn(follower.follow(Arc::downgrade(&shared), poll_every));
    Ok(())
}

struct Follower {
    store: Arc<dyn Store>,
    /// Which store this is, and the newest of its revisions that was seen.
    seen: Lineage,
    /// The revision up to which changes were taken over.
    read: i64,
    failing: bool,
}

impl Follower {
    async fn follow<P: Send + Sync + 'static>(mut self, shared: Weak<Shared<P>>, poll_every: Duration) {
        let mut ticks = tokio::time::interval(poll_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Nobody looks anything up any more.
            let Some(shared) = shared.upgrade() else { return };
            match self.look(&shared).await {
                Ok(()) => {
                    if self.failing {
                        tracing::info!("the token store can be read again");
                    }
                    self.failing = false;
                }
                Err(error) => self.complain(&error),
            }
        }
    }

    fn complain(&mut self, error: &StoreError) {
        if !self.failing {
            tracing::error!(%error, "the token store cannot be read");
        }
        self.failing = true;
    }

    /// Takes over what has changed since the last look.
    async fn look<P: Send + Sync + 'static>(&mut self, shared: &Arc<Shared<P>>) -> Result<(), StoreError> {
        let begun = shared.fresh.elapsed_ms();
        let found = self.store.lineage().await?;
        match found.descent(&self.seen) {
            Descent::Same => {}
            Descent::Acknowledged => {
                tracing::warn!(revision = found.revision, "another token store was put in the place of the one before");
                // Until all of it is known, nobody can say who is unknown.
                shared.replaced.store(true, Ordering::Release);
                shared.secrets.forget();
                self.read = 0;
            }
            Descent::Strange => {
                shared.replaced.store(true, Ordering::Release);
                return Err(StoreError::Replaced(Replacement { seen: self.seen, found }));
            }
        }
        let begun = match found.revision > self.read {
            true => catch_up(&self.store, shared, &mut self.read).await?,
            false => begun,
        };
        self.seen = Lineage { revision: found.revision.max(self.read), ..found };
        shared.fresh.note_read(begun);
        shared.replaced.store(false, Ordering::Release);
        revived::write_back(&self.store, shared).await
    }
}

/// Takes over every change after `seen`, and says when the last look began. At the start there are a million: while
/// pages are read and taken over, the next ones are fetched.
async fn catch_up<P: Send + Sync + 'static>(
    store: &Arc<dyn Store>,
    shared: &Arc<Shared<P>>,
    seen: &mut i64,
) -> Result<u64, StoreError> {
    let (fetched, mut pages) = mpsc::channel(PAGES_AHEAD);
    let fetching = tokio::spawn(fetch(Arc::clone(store), Arc::clone(shared), *seen, fetched));
    while let Some(page) = pages.recv().await {
        let last = page.last();
        take(shared, page.read()?)?;
        *seen = last;
    }
    fetching.await.map_err(|error| StoreError::Failed(error.to_string()))?
}

/// Fetches every page after a revision, and says when the look began that found no more.
async fn fetch<P: Send + Sync + 'static>(
    store: Arc<dyn Store>,
    shared: Arc<Shared<P>>,
    mut after: i64,
    fetched: mpsc::Sender<SecretsPage>,
) -> Result<u64, StoreError> {
    loop {
        let begun = shared.fresh.elapsed_ms();
        let Some(page) = store.secrets_after(after, PAGE_TOKENS).await? else { return Ok(begun) };
        after = page.last();
        // Whoever reads them has failed, and says why.
        let Ok(()) = fetched.send(page).await else { return Ok(begun) };
    }
}

/// Takes over secrets of changed tokens.
pub(super) fn take<P>(shared: &Shared<P>, secrets: Vec<StoredSecret>) -> Result<(), StoreError> {
    for secret in secrets {
        let hash = secret.hash;
        shared.secrets.put(hash, Entry::new(secret)?);
    }
    Ok(())
}
