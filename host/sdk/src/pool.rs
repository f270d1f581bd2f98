//! The instances of one policy set.
//!
//! A caller only ever takes an instance that is ready: instances are made on threads of the SDK, so that nobody
//! waits for longer than the queue allows, however long a set takes to restore.
//!
//! Each instance stands in a slot. A thread begins with the slot that is its own, so that threads that decide at the
//! same time neither wait for each other nor pull an instance's memory from one core to another. Only who finds no
//! instance at all comes to the lock that all share.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::deadline::{Deadline, Patience};
use crate::engine::Runtime;
use crate::fault::Fault;
use crate::instance::{Bounds, Failure, Instance};
use crate::thread_number::thread_number;

/// The first pause after an instance could not be made. It doubles with each failure.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Instances by state, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceCounts {
    /// Ready and waiting for a call.
    pub idle: usize,
    /// In a call.
    pub busy: usize,
    /// Being made.
    pub making: usize,
}

/// What it takes to make an instance.
pub(crate) struct Recipe {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) bounds: Bounds,
    pub(crate) image: Vec<u8>,
    pub(crate) restore: Patience,
    pub(crate) instances_max: usize,
}

impl Recipe {
    fn make(&self) -> Result<Instance, Failure> {
        Instance::restore(&self.runtime, self.bounds, &self.image, &mut Deadline::start(self.restore))
    }
}

/// The instances of one policy set, shared by any number of threads.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    recipe: Recipe,
    /// As many as there may be instances, so that one that comes back finds a place.
    slots: Box<[Slot]>,
    /// Threads that wait for an instance. Who puts one into a slot looks here behind a fence, and who is about to wait
    /// looks at the slots behind a fence: one of the two sees the other.
    waiting: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

/// A place for an instance that nobody uses, on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Slot(Mutex<Option<Instance>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Instance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an instance here. It comes back where there is one.
    fn put(&self, instance: Instance) -> Option<Instance> {
        let mut slot = self.lock();
        if slot.is_some() {
            return Some(instance);
        }
        *slot = Some(instance);
        None
    }
}

#[derive(Default)]
struct State {
    /// Instances in slots and in calls.
    made: usize,
    making: usize,
    failures: u32,
    /// After a failure to make an instance: none is made before this moment. Traps of requests never set it, or
    /// one client's input would close the door for all.
    not_before: Option<Instant>,
}

impl State {
    fn alive(&self) -> usize {
        self.made.saturating_add(self.making)
    }

    fn back_off(&mut self, failure: &Failure) {
        tracing::error!(fault = %failure.fault, cause = failure.cause, "an instance could not be made");
        let pause = BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now().checked_add(pause);
    }
}

impl Pool {
    /// A pool with its first instance, which shows that the image can be restored within the bounds.
    pub(crate) fn new(recipe: Recipe) -> Result<Self, Failure> {
        let first = recipe.make()?;
        let slots: Box<[Slot]> = (0..recipe.instances_max.max(1)).map(|_| Slot::default()).collect();
        let state = Mutex::new(State { made: 1, ..State::default() });
        let shared = Shared { recipe, slots, waiting: AtomicUsize::new(0), state, changed: Condvar::new() };
        shared.put(first);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes an instance; where all are busy, waits for one no longer than this. Whoever finds none is turned away:
    /// a burst is worked off as far as the time reaches.
    pub(crate) fn take(&self, queue: Duration) -> Result<Lease<'_>, Failure> {
        let instance = match self.shared.find(false) {
            Some(instance) => instance,
            None => self.wait(after(Instant::now(), queue))?,
        };
        Ok(Lease { instance: Some(instance), shared: &self.shared })
    }

    #[cold]
    fn wait(&self, until: Instant) -> Result<Instance, Failure> {
        let shared = &self.shared;
        let mut state = shared.lock();
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        let taken = loop {
            fence(Ordering::SeqCst);
            if let Some(instance) = shared.find(true) {
                break Ok(instance);
            }
            let now = Instant::now();
            let paused = state.not_before.is_some_and(|moment| now < moment);
            if state.alive() == 0 && paused {
                break Err(Failure::new(Fault::Unavailable, "instances cannot be made: the last attempts failed"));
            }
            let waiting = shared.waiting.load(Ordering::SeqCst);
            if state.making < waiting && state.alive() < shared.slots.len() && !paused {
                Shared::grow(shared, &mut state);
                continue;
            }
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                break Err(Failure::new(Fault::Busy, "no instance became free in time"));
            }
            state = match shared.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        };
        shared.waiting.fetch_sub(1, Ordering::SeqCst);
        taken
    }

    /// Makes instances here and now until there are so many.
    pub(crate) fn warm(&self, instances: usize) -> Result<(), Failure> {
        let shared = &self.shared;
        loop {
            let mut state = shared.lock();
            if state.alive() >= instances.min(shared.slots.len()) {
                return Ok(());
            }
            state.making += 1;
            drop(state);
            let made = shared.recipe.make();
            let failure = made.as_ref().err().map(|failure| Failure::new(failure.fault, failure.cause.clone()));
            shared.made(made);
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
    }

    pub(crate) fn counts(&self) -> InstanceCounts {
        let state = self.shared.lock();
        let idle = self.shared.slots.iter().filter(|slot| slot.lock().is_some()).count();
        InstanceCounts { idle, busy: state.made.saturating_sub(idle), making: state.making }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slots, that of this thread first.
    fn own_first(&self) -> impl Iterator<Item = &Slot> {
        let own = thread_number().checked_rem(self.slots.len()).unwrap_or(0);
        let (before, from) = self.slots.split_at_checked(own).unwrap_or_default();
        from.iter().chain(before)
    }

    /// An instance that is idle. Who must not miss one waits for slots that others are looking at.
    fn find(&self, thorough: bool) -> Option<Instance> {
        self.own_first().find_map(|slot| {
            if thorough {
                return slot.lock().take();
            }
            match slot.0.try_lock() {
                Ok(mut slot) => slot.take(),
                Err(_) => None,
            }
        })
    }

    /// Puts an instance into a slot and wakes who waits for it.
    fn put(&self, instance: Instance) {
        let mut left = Some(instance);
        while let Some(instance) = left.take() {
            // There are as many slots as instances. Where this one finds none, another thread is moving one.
            left = self.own_first().try_fold(instance, |instance, slot| slot.put(instance).ok_or(())).ok();
        }
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Who waits holds this lock until it waits.
            drop(self.lock());
            self.changed.notify_one();
        }
    }

    /// Starts making one instance on a thread of its own.
    fn grow(shared: &Arc<Self>, state: &mut State) {
        state.making += 1;
        let own = Arc::clone(shared);
        let started = thread::Builder::new().name("cedargate-make".to_owned()).spawn(move || {
            let made = own.recipe.make();
            own.made(made);
        });
        if let Err(error) = started {
            state.making -= 1;
            state.back_off(&Failure::new(Fault::Unavailable, format!("a thread cannot be made: {error}")));
        }
    }

    fn made(&self, made: Result<Instance, Failure>) {
        let mut state = self.lock();
        state.making -= 1;
        match made {
            Ok(instance) => {
                state.made += 1;
                state.failures = 0;
                state.not_before = None;
                drop(state);
                self.put(instance);
            }
            Err(failure) => {
                state.back_off(&failure);
                drop(state);
            }
        }
        self.changed.notify_all();
    }
}

/// A moment so far away that it cannot be counted is one that is a day away.
fn after(now: Instant, wait: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    now.checked_add(wait.min(DAY)).unwrap_or(now)
}

/// An instance in use. It returns to its pool, unless it faulted: then its store is dropped and a successor made.
pub(crate) struct Lease<'p> {
    instance: Option<Instance>,
    shared: &'p Arc<Shared>,
}

impl Lease<'_> {
    pub(crate) fn instance(&mut self) -> Result<&mut Instance, Failure> {
        self.instance.as_mut().ok_or_else(|| Failure::new(Fault::Unavailable, "the instance was given back"))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        if !instance.is_poisoned() {
            self.shared.put(instance);
            return;
        }
        // The whole store goes before its successor is made: the two never hold memory at once.
        drop(instance);
        let mut state = self.shared.lock();
        state.made -= 1;
        if state.not_before.is_none() {
            Shared::grow(self.shared, &mut state);
        }
        drop(state);
        // Who waits may now have one made, or learn that none can be.
        self.shared.changed.notify_one();
    }
}
