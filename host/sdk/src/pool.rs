//! The instances of one policy set.
//!
//! A caller only ever takes an instance that is ready: instances are made on threads of the SDK, so that nobody
//! waits for longer than the deadline, however long a set takes to restore.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::Runtime;
use crate::fault::Fault;
use crate::instance::{Bounds, Failure, Instance};

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
    pub(crate) restore_deadline: Duration,
    pub(crate) instances_max: usize,
}

impl Recipe {
    fn make(&self) -> Result<Instance, Failure> {
        Instance::restore(&self.runtime, self.bounds, &self.image, self.restore_deadline)
    }
}

/// The instances of one policy set, shared by any number of threads.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    recipe: Recipe,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Instance>,
    busy: usize,
    making: usize,
    waiting: usize,
    failures: u32,
    /// After a failure to make an instance: none is made before this moment. Traps of requests never set it, or
    /// one client's input would close the door for all.
    not_before: Option<Instant>,
}

impl State {
    fn alive(&self) -> usize {
        self.idle.len() + self.busy + self.making
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
        let state = State { idle: vec![first], ..State::default() };
        Ok(Self { shared: Arc::new(Shared { recipe, state: Mutex::new(state), changed: Condvar::new() }) })
    }

    /// Takes an instance; where all are busy, waits for one until the deadline.
    pub(crate) fn take(&self, deadline: Instant) -> Result<Lease, Failure> {
        let shared = &self.shared;
        let mut state = shared.lock();
        let mut waited = false;
        let taken = loop {
            if let Some(instance) = state.idle.pop() {
                break Ok(instance);
            }
            if !waited {
                waited = true;
                state.waiting += 1;
            }
            let now = Instant::now();
            let paused = state.not_before.is_some_and(|moment| now < moment);
            if state.alive() == 0 && paused {
                break Err(Failure::new(Fault::Unavailable, "instances cannot be made: the last attempts failed"));
            }
            let wanted = state.making < state.waiting && state.alive() < shared.recipe.instances_max;
            if wanted && !paused {
                Shared::grow(shared, &mut state);
                continue;
            }
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                break Err(Failure::new(Fault::Busy, "no instance became free before the deadline"));
            }
            state = match shared.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        };
        if waited {
            state.waiting -= 1;
        }
        let instance = taken?;
        state.busy += 1;
        Ok(Lease { instance: Some(instance), shared: Arc::clone(shared) })
    }

    /// Makes instances here and now until there are so many.
    pub(crate) fn warm(&self, instances: usize) -> Result<(), Failure> {
        let shared = &self.shared;
        loop {
            let mut state = shared.lock();
            if state.alive() >= instances.min(shared.recipe.instances_max) {
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
        InstanceCounts { idle: state.idle.len(), busy: state.busy, making: state.making }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
                state.idle.push(instance);
                state.failures = 0;
                state.not_before = None;
            }
            Err(failure) => state.back_off(&failure),
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// An instance in use. It returns to its pool, unless it faulted: then its store is dropped and a successor made.
pub(crate) struct Lease {
    instance: Option<Instance>,
    shared: Arc<Shared>,
}

impl Lease {
    pub(crate) fn instance(&mut self) -> Result<&mut Instance, Failure> {
        self.instance.as_mut().ok_or_else(|| Failure::new(Fault::Unavailable, "the instance was given back"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        let faulted = instance.is_poisoned();
        let kept = if faulted {
            // The whole store goes before its successor is made: the two never hold memory at once.
            drop(instance);
            None
        } else {
            Some(instance)
        };
        let mut state = self.shared.lock();
        state.busy -= 1;
        state.idle.extend(kept);
        if faulted && state.not_before.is_none() {
            Shared::grow(&self.shared, &mut state);
        }
        let waiting = state.waiting > 0;
        drop(state);
        if waiting {
            self.shared.changed.notify_one();
        }
    }
}
