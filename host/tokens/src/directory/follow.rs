//! Keeps a directory up to date with its store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::Shared;
use super::entry::Entry;
use crate::store::{Store, StoreError, StoredSecret};

/// Tokens that are fetched at a time.
const PAGE_TOKENS: u32 = 10_000;

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

/// Loads everything, then follows.
pub(super) async fn start<P: Send + Sync + 'static>(
    store: Arc<dyn Store>,
    shared: Arc<Shared<P>>,
    poll_every: Duration,
) -> Result<(), StoreError> {
    let mut seen = 0;
    let begun = catch_up(&*store, &shared, &mut seen).await?;
    shared.fresh.note_read(begun);
    tokio::spawn(follow(store, Arc::downgrade(&shared), poll_every, seen));
    Ok(())
}

async fn follow<P: Send + Sync + 'static>(
    store: Arc<dyn Store>,
    shared: Weak<Shared<P>>,
    poll_every: Duration,
    mut seen: i64,
) {
    let mut ticks = tokio::time::interval(poll_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        // Nobody looks anything up any more.
        let Some(shared) = shared.upgrade() else { return };
        match catch_up(&*store, &shared, &mut seen).await {
            Ok(begun) => {
                shared.fresh.note_read(begun);
                if failing {
                    tracing::info!("the token store can be read again");
                }
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "the token store cannot be read");
                }
                failing = true;
            }
        }
    }
}

/// Takes over every change after `seen`, and says when the last look began.
async fn catch_up<P: Send + Sync + 'static>(
    store: &dyn Store,
    shared: &Shared<P>,
    seen: &mut i64,
) -> Result<u64, StoreError> {
    loop {
        let begun = shared.fresh.elapsed_ms();
        let page = store.secrets_after(*seen, PAGE_TOKENS).await?;
        let Some(last) = page.last().map(|secret| secret.revision) else { return Ok(begun) };
        take(shared, page)?;
        *seen = last;
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
