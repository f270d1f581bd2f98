//! The answer of a job on a thread of the SDK: a future that needs no runtime, or a value to wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

enum State<T> {
    Waiting(Option<Waker>),
    Done(T),
    /// The job ended without an answer, or the answer was taken.
    Gone,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

/// The job's end.
pub(crate) struct Promise<T> {
    shared: Arc<Shared<T>>,
}

/// The caller's end. Dropping it does not stop the job.
pub(crate) struct Reply<T> {
    shared: Arc<Shared<T>>,
}

/// Both ends of an answer.
pub(crate) fn pair<T>() -> (Promise<T>, Reply<T>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Waiting(None)), changed: Condvar::new() });
    (Promise { shared: Arc::clone(&shared) }, Reply { shared })
}

impl<T> Shared<T> {
    fn settle(&self, settled: State<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = settled;
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, value: T) {
        self.shared.settle(State::Done(value));
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // Does nothing where the promise was kept.
        self.shared.settle(State::Gone);
    }
}

impl<T> Reply<T> {
    /// Blocks until the answer is there; `None` where the job ended without one.
    pub(crate) fn wait(self) -> Option<T> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        while matches!(*state, State::Waiting(_)) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(value) => Some(value),
            State::Waiting(_) | State::Gone => None,
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting(waker) = &mut *state {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Gone) {
            State::Done(value) => Poll::Ready(Some(value)),
            State::Waiting(_) | State::Gone => Poll::Ready(None),
        }
    }
}
