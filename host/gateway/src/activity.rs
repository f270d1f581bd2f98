//! Whether a connection has a request under way, and since when it has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::gateway::Gateway;

/// What is known of one connection.
pub(crate) struct Activity {
    opened: Instant,
    under_way: AtomicU32,
    /// Milliseconds after `opened`.
    idle_since: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { opened: Instant::now(), under_way: AtomicU32::new(0), idle_since: AtomicU64::new(0) }
    }

    /// How long there was no request; `None` while there is one.
    pub(crate) fn idle(&self) -> Option<Duration> {
        if self.under_way.load(Ordering::Acquire) > 0 {
            return None;
        }
        let since = Duration::from_millis(self.idle_since.load(Ordering::Acquire));
        Some(self.opened.elapsed().saturating_sub(since))
    }
}

/// A request under way. Dropped with the last byte of its reply.
pub(crate) struct RequestGuard {
    gateway: Arc<Gateway>,
    activity: Arc<Activity>,
}

impl RequestGuard {
    pub(crate) fn new(gateway: Arc<Gateway>, activity: Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Ordering::AcqRel);
        gateway.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { gateway, activity }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let millis = u64::try_from(self.activity.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Before the count, so that nobody sees an idle connection that is idle since its last request began.
        self.activity.idle_since.store(millis, Ordering::Release);
        self.activity.under_way.fetch_sub(1, Ordering::AcqRel);
        self.gateway.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
