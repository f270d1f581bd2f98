//! Writes later what happens now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cedargate::model::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::event::Event;
use super::tally::Batch;
use crate::period::Period;
use crate::store::{Store, StoreError};

/// Between two times at which what is old is made smaller.
const TIDY_EVERY: Duration = Duration::from_secs(86_400);

/// Between two times at which events that are too old are forgotten where nothing else is written.
const AGE_EVERY: Duration = Duration::from_secs(3_600);

/// How long the first use of a secret waits for others to be written with it: many come at once where a process starts.
const WRITE_SOON: Duration = Duration::from_millis(50);

/// How a recorder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// How long to collect before writing: what a `kill -9` may cost.
    pub write_every: Duration,
    /// How many events may wait. Beyond that they are counted and dropped.
    pub queue_max: usize,
    /// Which events are kept.
    pub retention: Retention,
}

/// Which events are kept. The oldest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many.
    pub events_max: u64,
    /// For how long at most; absent: for as long as there is room among the others.
    pub age_max: Option<Period>,
}

impl Default for Retention {
    /// One million, however old.
    fn default() -> Self {
        Self { events_max: 1_000_000, age_max: None }
    }
}

impl Default for RecorderOptions {
    /// Every 750 ms, up to 65,536 waiting.
    fn default() -> Self {
        Self { write_every: Duration::from_millis(750), queue_max: 65_536, retention: Retention::default() }
    }
}

/// Records events and counts, without ever waiting for the store. Cheap to clone.
///
/// Where the store cannot be written, counts are kept in memory and written later; events are kept as far as the
/// queue reaches.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    flushes: mpsc::Sender<Flush>,
}

/// Is answered once everything that was recorded before it is written.
type Flush = oneshot::Sender<Result<(), StoreError>>;

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    queue_max: usize,
    dropped: AtomicU64,
    /// Somebody waits for what was recorded, and will not ask.
    soon: Notify,
}

/// What was recorded since somebody last came for it.
#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    /// Counts of events that found the queue full.
    aside: Batch,
    retention: Retention,
}

impl Recorder {
    /// Starts to write. Needs a Tokio runtime; ends when the last clone is dropped.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, options: RecorderOptions) -> Self {
        let (flushes, asked) = mpsc::channel(1);
        let queue_max = options.queue_max.max(1);
        let waiting = Waiting { retention: options.retention, ..Waiting::default() };
        let shared = Arc::new(Shared {
            waiting: Mutex::new(waiting),
            queue_max,
            dropped: AtomicU64::new(0),
            soon: Notify::new(),
        });
        let writer = Writer {
            store,
            asked,
            shared: Arc::clone(&shared),
            taken: Vec::new(),
            batch: Batch::default(),
            failing: false,
        };
        tokio::spawn(writer.run(options.write_every));
        Self { shared, flushes }
    }

    /// Keeps these events from now on.
    pub fn keep(&self, retention: Retention) {
        self.shared.waiting().retention = retention;
    }

    /// Records a decision. Where too many are waiting, the event itself is dropped, and still counted.
    pub fn record(&self, event: Event) {
        let mut waiting = self.shared.waiting();
        if waiting.events.len() < self.shared.queue_max {
            waiting.events.push(event);
        } else {
            waiting.aside.count(&event);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a secret is in use, before the reply to its first request has ended, which may take as long as it
    /// likes: whoever rotates the token is to know. It is written soon, together with other first uses.
    pub fn note_use(&self, token_id: &Arc<str>, version: u32, at: Timestamp) {
        self.shared.waiting().aside.note_use(Arc::clone(token_id), version, at);
        self.shared.soon.notify_one();
    }

    /// How many events were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Writes everything that was recorded before this call. What a shutdown ends with.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where it cannot be written now; it is kept and tried again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let ended = || StoreError::Failed("the writer has ended".to_owned());
        let (reply, written) = oneshot::channel();
        self.flushes.send(reply).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // INVARIANT: nothing that is done under the lock stops half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    store: Arc<dyn Store>,
    asked: mpsc::Receiver<Flush>,
    shared: Arc<Shared>,
    /// Changes places with what is waiting, so that neither grows anew each time.
    taken: Vec<Event>,
    batch: Batch,
    failing: bool,
}

impl Writer {
    async fn run(mut self, write_every: Duration) {
        let mut ticks = tokio::time::interval(write_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whether the next tick was brought forward: it is not put off by whoever comes then.
        let mut is_soon = false;
        let mut hours = tokio::time::interval(AGE_EVERY);
        hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut days = tokio::time::interval(TIDY_EVERY);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = hours.tick() => {
                    // A failure is said once, and the batch is kept. Where nothing happens, events grow old all the same.
                    let _ = self.write(true).await;
                }
                _ = days.tick() => {
                    if let Err(error) = self.store.tidy(Timestamp::now()).await {
                        tracing::warn!(%error, "old counts stay as they are until tomorrow");
                    }
                }
                () = self.shared.soon.notified(), if !is_soon => {
                    is_soon = true;
                    ticks.reset_after(write_every.min(WRITE_SOON));
                }
                _ = ticks.tick() => {
                    is_soon = false;
                    // A failure is said once, and the batch is kept.
                    let _ = self.write(false).await;
                }
                asked = self.asked.recv() => {
                    let written = self.write(false).await;
                    match asked {
                        // Whoever asked may have stopped waiting.
                        Some(flush) => drop(flush.send(written)),
                        None => return,
                    }
                }
            }
        }
    }

    /// Takes what is waiting, and counts it.
    fn take(&mut self) {
        {
            let mut waiting = self.shared.waiting();
            std::mem::swap(&mut self.taken, &mut waiting.events);
            self.batch.add_counts(&mut waiting.aside);
            let Retention { events_max, age_max } = waiting.retention;
            self.batch.events_max = events_max;
            let since = |age: Period| Timestamp::now().as_millis().saturating_sub(age.millis());
            self.batch.events_since = age_max.map(|age| Timestamp::from_millis(since(age)));
        }
        for event in self.taken.drain(..) {
            self.batch.count(&event);
            if self.batch.events.len() < self.shared.queue_max {
                self.batch.events.push(event);
            } else {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes what was recorded; with `ageing`, forgets what is too old even where nothing was.
    async fn write(&mut self, ageing: bool) -> Result<(), StoreError> {
        self.take();
        if self.batch.is_empty() && !(ageing && self.batch.events_since.is_some()) {
            return Ok(());
        }
        let written = self.store.write(&self.batch).await;
        match &written {
            Ok(()) => {
                self.batch.clear();
                self.failing = false;
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "what was recorded cannot be written, and is kept in memory");
            }
            Err(_) => {}
        }
        written
    }
}
