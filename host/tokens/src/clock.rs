//! The time that decisions are made at.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use cedargate::model::Timestamp;

use crate::store::{Store, StoreError};

/// How far the system's clock may lie behind the newest stored time. Clocks of two machines differ by seconds; one
/// that is set back by more would revive tokens that have expired.
pub const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);

/// How far the system's clock may lie ahead of the newest stored time where something is changed, in milliseconds: 90
/// days, longer than a store that is in use stands still. A time that is stored once is behind nobody any more, so that
/// one command under a clock that is years ahead would keep every gateway from starting.
pub(crate) const CLOCK_AHEAD_MAX_MS: i64 = 90 * 86_400_000;

/// What to do where the system's clock lies far behind the newest stored time, or far ahead of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skew {
    /// Refuse to start where it is behind, and to change anything where it is ahead.
    #[default]
    Refuse,
    /// Believe the system's clock, and forget the newest stored time: it was wrong.
    Override,
    /// Go on from the newest stored time where it is behind: for who only ends tokens, which no clock may keep him from.
    Follow,
}

/// A clock that never runs backwards while the process lives, whatever is done to the system's.
///
/// It follows the system's clock forwards at once. Where that is set back, this one goes on at the pace of the
/// monotonic clock, so that what expires still expires in time.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// The time at `started`, in milliseconds; only ever grows.
    base: AtomicI64,
}

/// The clock cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The system's clock lies more than [`CLOCK_BEHIND_MAX`] behind the newest stored time.
    #[error(
        "the clock says {now}, and the store holds times up to {newest}: a clock that was set back revives expired tokens; set it right, or, where the stored time is the wrong one, pass `--accept-clock`"
    )]
    Behind {
        /// What the system's clock says.
        now: Timestamp,
        /// The newest time of the store.
        newest: Timestamp,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Clock {
    /// A clock that is never behind anything that the store holds.
    ///
    /// # Errors
    ///
    /// [`ClockError::Behind`] where the system's clock is far behind the store and `skew` says to refuse that, and
    /// [`ClockError::Store`].
    pub async fn start(store: &dyn Store, skew: Skew) -> Result<Self, ClockError> {
        let now = Timestamp::now();
        let Some(newest) = store.newest().await? else { return Ok(Self::at_least(now)) };
        let is_ahead = now.as_millis().saturating_sub(newest.as_millis()) > CLOCK_AHEAD_MAX_MS;
        if !is_ahead && newest.saturating_since(now) <= CLOCK_BEHIND_MAX {
            return Ok(Self::at_least(now.max(newest)));
        }
        match skew {
            Skew::Refuse if is_ahead => {
                tracing::warn!(%now, %newest, "the clock is far ahead of the store: nothing is changed without `--accept-clock`");
                Ok(Self::at_least(now))
            }
            Skew::Refuse => Err(ClockError::Behind { now, newest }),
            Skew::Follow => Ok(Self::at_least(if is_ahead { now } else { newest })),
            Skew::Override => {
                tracing::warn!(%now, %newest, "the newest stored time is forgotten");
                store.forget_newest(now).await?;
                Ok(Self::at_least(now))
            }
        }
    }

    /// A clock that begins with this time, or with the system's where that is later.
    #[must_use]
    pub fn at_least(time: Timestamp) -> Self {
        Self { started: Instant::now(), base: AtomicI64::new(time.as_millis()) }
    }

    /// The time. Never earlier than what was returned before.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.read(Timestamp::now(), elapsed)
    }

    /// INVARIANT: `base` and `elapsed` never shrink, so their sum does not.
    fn read(&self, system: Timestamp, elapsed: i64) -> Timestamp {
        let base = system.as_millis().saturating_sub(elapsed);
        // Mostly it is the same: a store would take the value away from every other thread that reads it.
        let before = self.base.load(Ordering::Acquire);
        let before = if before < base { self.base.fetch_max(base, Ordering::AcqRel) } else { before };
        Timestamp::from_millis(before.max(base).saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on() {
        let at = Timestamp::from_millis;
        let clock = Clock::at_least(at(0));
        assert_eq!(clock.read(at(1_000), 0), at(1_000));
        assert_eq!(clock.read(at(9_010), 10), at(9_010), "set forwards");
        assert_eq!(clock.read(at(500), 20), at(9_020), "set back");
        assert_eq!(clock.read(at(600), 30), at(9_030), "and still going");
    }
}
