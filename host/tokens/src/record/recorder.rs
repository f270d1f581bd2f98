//! Writes later what happens now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cedargate::model::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::budget::BudgetKey;
use super::event::Event;
use super::tally::Batch;
use crate::store::{Store, StoreError};

/// Between two times at which what is old is made smaller.
const TIDY_EVERY: Duration = Duration::from_secs(86_400);

/// How a recorder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// How long to collect before writing: what a `kill -9` may cost.
    pub write_every: Duration,
    /// How many events may wait. Beyond that they are counted and dropped.
    pub queue_max: usize,
    /// How many events are kept. The oldest go first.
    pub events_max: u64,
}

impl Default for RecorderOptions {
    /// Every 250 ms, up to 65,536 waiting, one million kept.
    fn default() -> Self {
        Self { write_every: Duration::from_millis(250), queue_max: 65_536, events_max: 1_000_000 }
    }
}

/// Records events, counts and what was spent, without ever waiting for the store. Cheap to clone.
///
/// Where the store cannot be written, counts are kept in memory and written later; events are kept as far as the
/// queue reaches.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Message {
    Event(Box<Event>),
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

#[derive(Debug, Default)]
struct Shared {
    /// Counts of events that found the queue full, and what was spent.
    aside: Mutex<Batch>,
    dropped: AtomicU64,
}

impl Recorder {
    /// Starts to write. Needs a Tokio runtime; ends when the last clone is dropped.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, options: RecorderOptions) -> Self {
        let (queue, waiting) = mpsc::channel(options.queue_max.max(1));
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            store,
            waiting,
            shared: Arc::clone(&shared),
            batch: Batch { events_max: options.events_max, ..Batch::default() },
            events_held_max: options.queue_max.max(1),
            failing: false,
        };
        tokio::spawn(writer.run(options.write_every));
        Self { queue, shared }
    }

    /// Records a decision. Where too many are waiting, the event itself is dropped, and still counted.
    pub fn record(&self, event: Event) {
        match self.queue.try_send(Message::Event(Box::new(event))) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Closed(message)) => {
                if let Message::Event(event) = message {
                    self.shared.drop_event(&event);
                }
            }
        }
    }

    /// Adds to what was spent in a window. Nothing that was spent is ever dropped.
    pub fn spend(&self, key: BudgetKey, amount: u64) {
        if amount > 0 {
            let mut aside = self.shared.aside.lock().unwrap_or_else(PoisonError::into_inner);
            let spent = aside.spent.entry(key).or_default();
            *spent = spent.saturating_add(amount);
        }
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
        self.queue.send(Message::Flush(reply)).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

impl Shared {
    fn drop_event(&self, event: &Event) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).count(event);
    }
}

struct Writer {
    store: Arc<dyn Store>,
    waiting: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
    batch: Batch,
    events_held_max: usize,
    failing: bool,
}

impl Writer {
    async fn run(mut self, write_every: Duration) {
        let mut ticks = tokio::time::interval(write_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut days = tokio::time::interval(TIDY_EVERY);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = days.tick() => {
                    if let Err(error) = self.store.tidy(Timestamp::now()).await {
                        tracing::warn!(%error, "old counts stay as they are until tomorrow");
                    }
                }
                _ = ticks.tick() => {
                    // A failure is said once, and the batch is kept.
                    let _ = self.write().await;
                }
                message = self.waiting.recv() => match message {
                    Some(Message::Event(event)) => self.take(*event),
                    Some(Message::Flush(reply)) => {
                        // Whoever asked may have stopped waiting.
                        let _ = reply.send(self.write().await);
                    }
                    None => {
                        let _ = self.write().await;
                        return;
                    }
                },
            }
        }
    }

    fn take(&mut self, event: Event) {
        if self.batch.events.len() >= self.events_held_max {
            self.shared.drop_event(&event);
            return;
        }
        self.batch.count(&event);
        self.batch.events.push(event);
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        {
            let mut aside = self.shared.aside.lock().unwrap_or_else(PoisonError::into_inner);
            self.batch.add_counts(&mut aside);
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = self.store.write(&self.batch).await;
        match &written {
            Ok(()) => {
                let events_max = self.batch.events_max;
                self.batch = Batch { events_max, ..Batch::default() };
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
