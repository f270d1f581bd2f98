//! How long the component may take.
//!
//! What counts is the processor time of the thread that entered: a thread that waits for a processor does nothing
//! wrong, and on a busy machine it may wait for longer than any decision takes. Wall time is bounded as well, far
//! above, since whoever asked is waiting.
//!
//! The thread's clock is a call to the system, and a decision takes microseconds. So it is read only where the engine's
//! clock ticked while the component ran.

use std::time::{Duration, Instant};

use crate::engine::TICK_MS;
use crate::fault::Fault;

/// Ticks that pass before anything is looked at. A single one could pass before the call began.
pub(crate) const TICKS_FIRST: u64 = 2;

/// Ticks between two looks at most: where ticks come late, so does the end.
const TICKS_MOST: u64 = 10;

/// Where a thread's clock cannot be read, waiting counts, and a call has this many times its processor time.
const CLOCKLESS: u32 = 5;

/// What a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Processor time of the thread.
    pub(crate) cpu: Duration,
    /// Time on the wall; at least as much.
    pub(crate) wall: Duration,
}

impl Patience {
    /// Patience whose wall time is no shorter than its processor time.
    pub(crate) fn new(cpu: Duration, wall: Duration) -> Self {
        Self { cpu, wall: wall.max(cpu) }
    }
}

/// What is left for one or several entries that belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    started: Instant,
    cpu_left: Duration,
    patience: Patience,
}

impl Deadline {
    /// Begins now.
    pub(crate) fn start(patience: Patience) -> Self {
        Self { started: Instant::now(), cpu_left: patience.cpu, patience }
    }
}

/// Watches one entry.
#[derive(Debug)]
pub(crate) struct Watch {
    deadline: Deadline,
    /// What the thread's clock said when it was last read in this entry.
    seen: Option<Duration>,
    /// Why the entry was interrupted.
    over: Option<Fault>,
}

impl Watch {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline, seen: None, over: None }
    }

    /// The ticks after which to look again, or `None` where the time is up.
    pub(crate) fn tick(&mut self) -> Option<u64> {
        self.look(Instant::now(), thread_time())
    }

    fn look(&mut self, now: Instant, thread: Option<Duration>) -> Option<u64> {
        let Deadline { started, patience: Patience { cpu, wall }, .. } = self.deadline;
        let elapsed = now.saturating_duration_since(started);
        let Some(thread) = thread else {
            let left = wall.min(cpu.saturating_mul(CLOCKLESS)).checked_sub(elapsed).filter(|left| !left.is_zero());
            return self.go_on(left, Fault::Timeout);
        };
        self.charge(thread);
        let cpu_left = self.deadline.cpu_left;
        if cpu_left.is_zero() {
            return self.go_on(None, Fault::Timeout);
        }
        let wall_left = wall.checked_sub(elapsed).filter(|left| !left.is_zero());
        // The component calls nobody: while it does not compute, it waits for a processor or for its memory.
        self.go_on(wall_left.map(|left| left.min(cpu_left)), Fault::Busy)
    }

    fn go_on(&mut self, left: Option<Duration>, otherwise: Fault) -> Option<u64> {
        if left.is_none() {
            self.over = Some(otherwise);
        }
        let millis = u64::try_from(left?.as_millis()).unwrap_or(u64::MAX);
        Some((millis / TICK_MS).clamp(1, TICKS_MOST))
    }

    /// Takes off what the thread computed since the clock was last read. Before it was read first, no more than
    /// [`TICKS_FIRST`] ticks passed in the component.
    fn charge(&mut self, thread: Duration) {
        let since = self.seen.replace(thread).map_or(Duration::ZERO, |seen| thread.saturating_sub(seen));
        self.deadline.cpu_left = self.deadline.cpu_left.saturating_sub(since);
    }

    /// What is left for the next entry.
    pub(crate) fn leave(&mut self) -> Deadline {
        if self.seen.is_some()
            && let Some(thread) = thread_time()
        {
            self.charge(thread);
        }
        self.deadline
    }

    /// Why the entry was interrupted, where it was.
    pub(crate) fn over(&self) -> Option<Fault> {
        self.over
    }
}

/// The processor time of this thread so far, where the system tells.
#[expect(unsafe_code, reason = "the standard library has no clock of a thread")]
fn thread_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let time = (read == 0).then_some(time)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn watch() -> Watch {
        Watch::new(Deadline::start(Patience { cpu: ms(10), wall: ms(250) }))
    }

    /// Looks at moments after the start, with what the thread's clock says then.
    fn look(watch: &mut Watch, looks: &[(u64, Option<u64>)]) -> Option<u64> {
        let started = watch.deadline.started;
        looks.iter().map(|(wall, thread)| watch.look(started + ms(*wall), thread.map(ms))).last().unwrap()
    }

    #[test]
    fn waiting_for_a_processor_does_not_count() {
        let mut watch = watch();
        assert_eq!(look(&mut watch, &[(2, Some(700)), (150, Some(701)), (240, Some(705))]), Some(5));
        assert_eq!(watch.over(), None);
    }

    #[test]
    fn computing_counts() {
        let mut watch = watch();
        assert_eq!(look(&mut watch, &[(2, Some(700)), (12, Some(710))]), None);
        assert_eq!(watch.over(), Some(Fault::Timeout));
    }

    #[test]
    fn what_one_entry_computed_is_missing_in_the_next() {
        let mut first = watch();
        assert_eq!(look(&mut first, &[(2, Some(700)), (10, Some(707))]), Some(3));
        let mut second = Watch::new(first.deadline);
        assert_eq!(look(&mut second, &[(12, Some(709)), (14, Some(711))]), Some(1));
        assert_eq!(look(&mut second, &[(15, Some(712))]), None);
        assert_eq!(second.over(), Some(Fault::Timeout));
    }

    #[test]
    fn who_waits_for_too_long_is_turned_away() {
        let mut watch = watch();
        assert_eq!(look(&mut watch, &[(2, Some(700)), (250, Some(705))]), None);
        assert_eq!(watch.over(), Some(Fault::Busy));
    }

    #[test]
    fn without_a_clock_of_the_thread_waiting_counts() {
        let mut watch = watch();
        assert_eq!(look(&mut watch, &[(2, None), (45, None)]), Some(5));
        assert_eq!(look(&mut watch, &[(50, None)]), None);
        assert_eq!(watch.over(), Some(Fault::Timeout));
    }

    #[test]
    fn the_thread_has_a_clock() {
        assert!(thread_time().is_some());
    }
}
