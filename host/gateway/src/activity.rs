//! What happens on one connection: which requests are under way, what of their replies waits for the peer, and since
//! when nobody moves.
//!
//! Everything here is only noted where it happens. What becomes of it is decided beside the connection, by
//! [`Activity::verdict`]: a timer inside of a reply's body would never ring for a peer that grants no window, since
//! nobody asks the body for more then.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::sync::Notify;

use crate::config::Timeouts;
use crate::gateway::Gateway;

/// Requests that a peer may abandon beyond those whose replies it took. Whoever resets streams as fast as it opens them
/// has the gateway work for nothing; a proxy whose users go away early does not come near.
const ABANDONED_MAX: i64 = 256;

/// After a connection was told to take no further requests, how long those that it sends all the same keep it open: they
/// may have been on their way.
const CROSSING_MS: u64 = 5_000;

/// No moment.
const NEVER: u64 = u64::MAX;

/// How long a peer is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a whole head, on a new connection and on one that is kept.
    pub(crate) head: Duration,
    /// While bytes wait and the peer takes none.
    pub(crate) progress: Duration,
    /// For all of a reply that the gateway makes itself.
    pub(crate) own_reply: Duration,
}

impl Patience {
    pub(crate) fn of(timeouts: &Timeouts) -> Self {
        Self { head: timeouts.header, progress: timeouts.write, own_reply: timeouts.reply }
    }

    /// How often to look: often enough that nobody stays much longer than he may.
    pub(crate) fn look_every(&self) -> Duration {
        let shortest = self.head.min(self.progress).min(self.own_reply);
        (shortest / 8).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX)
    }
}

const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);

/// Why the gateway ends a connection by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// It has no request, and no whole head came.
    Idle,
    /// The peer takes nothing of what waits for it.
    Stalled,
    /// The peer abandons what it asks for.
    Abandons,
    /// The peer has as many connections as it may.
    PeerLimit,
    /// A request can be read in more than one way.
    Malformed,
    /// The peer does not speak TLS as it should, or shows no certificate that is known.
    Handshake,
}

impl Over {
    /// Each, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Idle, Self::Stalled, Self::Abandons, Self::PeerLimit, Self::Malformed, Self::Handshake];

    /// What it is called where it is counted.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Abandons => "abandons",
            Self::PeerLimit => "peer_limit",
            Self::Malformed => "malformed",
            Self::Handshake => "handshake",
        }
    }
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    GoesOn,
    /// Some of its replies are not taken: it takes no further requests, and ends with the others.
    Drains,
    /// It ends now.
    Ends(Over),
}

/// What is known of one connection.
pub(crate) struct Activity {
    opened: Instant,
    patience: Patience,
    under_way: AtomicU32,
    /// Milliseconds after `opened`, as all moments here.
    idle_since: AtomicU64,
    /// Since when the socket takes nothing.
    blocked_since: AtomicU64,
    /// Since when the connection takes no further requests.
    drains_since: AtomicU64,
    /// Abandoned requests less those that came to their end.
    abandoned: AtomicI64,
    /// In the order in which they began, with some that ended.
    exchanges: Mutex<Vec<Weak<Exchange>>>,
    /// Rung where it must be looked at once.
    bell: Notify,
}

impl Activity {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            opened: Instant::now(),
            patience,
            under_way: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(NEVER),
            drains_since: AtomicU64::new(NEVER),
            abandoned: AtomicI64::new(0),
            exchanges: Mutex::default(),
            bell: Notify::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(NEVER)
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>, gateway: &Arc<Gateway>) -> Arc<Exchange> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        gateway.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        let exchange = Arc::new(Exchange {
            gateway: Arc::clone(gateway),
            activity: Arc::clone(self),
            began: self.now(),
            waiting_bytes: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            until: AtomicU64::new(NEVER),
            is_whole: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            given_up: Notify::new(),
        });
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.retain(|exchange| exchange.strong_count() > 0);
        exchanges.push(Arc::downgrade(&exchange));
        exchange
    }

    /// The request that began last.
    pub(crate) fn latest(&self) -> Option<Arc<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).last().and_then(Weak::upgrade)
    }

    /// The socket took bytes, or would not.
    pub(crate) fn socket_took(&self, any: bool) {
        if any {
            self.blocked_since.store(NEVER, Ordering::Release);
        } else {
            // Whoever waits already waits since then.
            let _ = self.blocked_since.compare_exchange(NEVER, self.now(), Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Waits until it must be looked at once.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// What is to become of the connection. Replies that are not taken are given up.
    pub(crate) fn verdict(&self) -> Verdict {
        let now = self.now();
        if self.abandoned.load(Ordering::Acquire) > ABANDONED_MAX {
            return Verdict::Ends(Over::Abandons);
        }
        let exchanges: Vec<_> = {
            let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
            exchanges.iter().filter_map(Weak::upgrade).collect()
        };
        let is_own = |exchange: &Arc<Exchange>| exchange.until.load(Ordering::Acquire) != NEVER;
        let Patience { progress, own_reply, .. } = self.patience;
        let patience = if exchanges.iter().all(is_own) { own_reply.min(progress) } else { progress };
        if passed(now, self.blocked_since.load(Ordering::Acquire), patience) {
            return Verdict::Ends(Over::Stalled);
        }
        if self.under_way.load(Ordering::Acquire) == 0
            && passed(now, self.idle_since.load(Ordering::Acquire), self.patience.head)
        {
            return Verdict::Ends(Over::Idle);
        }
        let stalled = exchanges.iter().filter(|exchange| exchange.is_stalled(now)).count();
        if stalled == 0 {
            return Verdict::GoesOn;
        }
        let drains_since = self.drains_since.fetch_min(now, Ordering::AcqRel).min(now);
        let crossed = drains_since.saturating_add(CROSSING_MS);
        // INVARIANT: a peer cannot keep a connection, of which some reply is not taken, by ever new requests.
        let keeps = |exchange: &Arc<Exchange>| !exchange.is_stalled(now) && exchange.began <= crossed;
        if !exchanges.iter().any(keeps) {
            return Verdict::Ends(Over::Stalled);
        }
        for exchange in exchanges.iter().filter(|exchange| exchange.is_stalled(now)) {
            exchange.give_up();
        }
        Verdict::Drains
    }
}

/// Whether a wait that began at a moment is over.
fn passed(now: u64, since: u64, patience: Duration) -> bool {
    since != NEVER && now.saturating_sub(since) >= u64::try_from(patience.as_millis()).unwrap_or(NEVER)
}

/// A request and its reply. It lasts until the last byte of the reply was taken, or thrown away.
pub(crate) struct Exchange {
    gateway: Arc<Gateway>,
    activity: Arc<Activity>,
    began: u64,
    /// Bytes of the reply that were handed over, and that nobody took yet.
    waiting_bytes: AtomicU64,
    /// When some were taken last, or when the first of those that wait was handed over.
    moved: AtomicU64,
    /// When all of the reply must have been taken.
    until: AtomicU64,
    /// Whether the reply was handed over to its end.
    is_whole: AtomicBool,
    is_given_up: AtomicBool,
    given_up: Notify,
}

impl Exchange {
    /// The reply is the gateway's own.
    pub(crate) fn replies_itself(&self) {
        let patience = u64::try_from(self.activity.patience.own_reply.as_millis()).unwrap_or(NEVER);
        self.until.store(self.activity.now().saturating_add(patience).min(NEVER - 1), Ordering::Release);
    }

    /// The reply was handed over to its end.
    pub(crate) fn is_whole(&self) {
        self.is_whole.store(true, Ordering::Release);
    }

    /// A part of the reply is handed over.
    pub(crate) fn hand_over(self: &Arc<Self>, bytes: Bytes) -> Part {
        let length = u64::try_from(bytes.len()).unwrap_or(NEVER);
        if self.waiting_bytes.fetch_add(length, Ordering::AcqRel) == 0 {
            self.moved.store(self.activity.now(), Ordering::Release);
        }
        Part { bytes, exchange: Some(Arc::clone(self)) }
    }

    fn took(&self, bytes: usize) {
        self.moved.store(self.activity.now(), Ordering::Release);
        self.waiting_bytes.fetch_sub(u64::try_from(bytes).unwrap_or(0), Ordering::AcqRel);
    }

    fn is_stalled(&self, now: u64) -> bool {
        let waits = self.waiting_bytes.load(Ordering::Acquire) > 0;
        now >= self.until.load(Ordering::Acquire)
            || (waits && passed(now, self.moved.load(Ordering::Acquire), self.activity.patience.progress))
    }

    fn give_up(&self) {
        if !self.is_given_up.swap(true, Ordering::AcqRel) {
            self.given_up.notify_one();
        }
    }

    /// Waits until nobody waits for the peer any more.
    pub(crate) async fn is_given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let activity = &self.activity;
        if self.is_whole.load(Ordering::Acquire) {
            let less = |abandoned: i64| Some(abandoned.saturating_sub(1).max(0));
            let _ = activity.abandoned.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        } else if activity.abandoned.fetch_add(1, Ordering::AcqRel) >= ABANDONED_MAX {
            activity.bell.notify_one();
        }
        // Before the count, so that nobody sees an idle connection that is idle since its last request began.
        activity.idle_since.store(activity.now(), Ordering::Release);
        activity.under_way.fetch_sub(1, Ordering::AcqRel);
        self.gateway.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of a reply, which notes what of it is taken: by the socket, or by the window of its stream.
pub(crate) struct Part {
    bytes: Bytes,
    exchange: Option<Arc<Exchange>>,
}

impl Part {
    /// A part that nobody watches.
    pub(crate) const fn unwatched(bytes: Bytes) -> Self {
        Self { bytes, exchange: None }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        let before = self.bytes.len();
        self.bytes.advance(count);
        if let Some(exchange) = &self.exchange {
            exchange.took(before.saturating_sub(self.bytes.len()));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Thrown away with its stream: it waits for nobody.
        if let Some(exchange) = self.exchange.take().filter(|_| !self.bytes.is_empty()) {
            exchange.took(self.bytes.len());
        }
    }
}
