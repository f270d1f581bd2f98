//! One round of one kind: times of single calls, within bounds of number and time.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Calls that are timed however long they take.
const CALLS_MIN: usize = 16;

/// The times of one round.
pub(crate) struct Lap {
    times: Vec<u64>,
    calls_max: usize,
    started: Instant,
    budget: Duration,
}

impl Lap {
    /// A round of so many calls, or as many as end within the time.
    pub(crate) fn new(calls_max: usize, budget: Duration) -> Self {
        Self { times: Vec::with_capacity(calls_max), calls_max, started: Instant::now(), budget }
    }

    /// Whether there is time for another call.
    pub(crate) fn goes_on(&self) -> bool {
        let calls = self.times.len();
        calls < self.calls_max && (calls < CALLS_MIN || self.started.elapsed() < self.budget)
    }

    /// Times a call. Reading the clock, some 20 ns, is part of the time.
    pub(crate) fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.time_shared(1, call)
    }

    /// Times a call that answers so many requests, and counts each one's share.
    pub(crate) fn time_shared<T>(&mut self, requests: usize, call: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let answer = black_box(call());
        let elapsed = started.elapsed();
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        self.times.push(nanos.checked_div(requests).unwrap_or(nanos));
        answer
    }

    /// The times in nanoseconds.
    pub(crate) fn into_times(self) -> Vec<u64> {
        self.times
    }
}
