//! Requests that killed an instance twice within a second.
//!
//! The same principal with the same action is answered without entering for a while: one client's input must not
//! keep the pool making instances. Others are served.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::principal::PrincipalKey;

/// Two faults within this time close the door, and it stays closed for as long.
const WINDOW: Duration = Duration::from_secs(1);

/// Faults within the window that close the door.
const FAULTS_MAX: u32 = 2;

/// Pairs that are watched at once. Above it the oldest give way: a fault costs an attacker an instance's making,
/// so a full table is far away.
const PAIRS_MAX: usize = 1_024;

/// The faults of the last second, by principal and action.
#[derive(Default)]
pub(crate) struct Quarantine {
    pairs: Mutex<HashMap<Pair, Watched>>,
    /// So that a request costs one load where nothing faulted.
    watched: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    principal: [u8; 32],
    action: [u8; 32],
}

struct Watched {
    faults: u32,
    fault: Fault,
    since: Instant,
}

impl Pair {
    fn new(principal: &PrincipalKey, action: &str) -> Self {
        Self { principal: principal.digest, action: Sha256::digest(action.as_bytes()).into() }
    }
}

impl Quarantine {
    /// Whether anything faulted within the last second or so.
    pub(crate) fn is_watching(&self) -> bool {
        self.watched.load(Ordering::Relaxed) > 0
    }

    /// The fault to answer with instead of entering.
    pub(crate) fn check(&self, principal: &PrincipalKey, action: impl FnOnce() -> Option<String>) -> Option<Fault> {
        if !self.is_watching() {
            return None;
        }
        let pair = Pair::new(principal, &action().unwrap_or_default());
        let mut pairs = self.lock();
        self.forget_old(&mut pairs);
        pairs.get(&pair).filter(|watched| watched.faults >= FAULTS_MAX).map(|watched| watched.fault)
    }

    /// Notes a fault.
    pub(crate) fn note(&self, principal: &PrincipalKey, action: &str, fault: Fault) {
        let mut pairs = self.lock();
        self.forget_old(&mut pairs);
        if pairs.len() >= PAIRS_MAX {
            let oldest = pairs.iter().min_by_key(|(_, watched)| watched.since).map(|(pair, _)| *pair);
            oldest.and_then(|pair| pairs.remove(&pair));
        }
        let now = Instant::now();
        let watched = pairs.entry(Pair::new(principal, action)).or_insert(Watched { faults: 0, fault, since: now });
        watched.faults = watched.faults.saturating_add(1);
        watched.fault = fault;
        watched.since = now;
        self.watched.store(pairs.len(), Ordering::Relaxed);
    }

    fn forget_old(&self, pairs: &mut HashMap<Pair, Watched>) {
        pairs.retain(|_, watched| watched.since.elapsed() < WINDOW);
        self.watched.store(pairs.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pair, Watched>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_fault_closes_the_door_for_that_pair_only() {
        let quarantine = Quarantine::default();
        let one = PrincipalKey { digest: [1; 32] };
        let other = PrincipalKey { digest: [2; 32] };
        let action = |name: &str| {
            let name = name.to_owned();
            move || Some(name)
        };
        assert_eq!(quarantine.check(&one, action("chat")), None);
        quarantine.note(&one, "chat", Fault::Trap);
        assert_eq!(quarantine.check(&one, action("chat")), None);
        quarantine.note(&one, "chat", Fault::Timeout);
        assert_eq!(quarantine.check(&one, action("chat")).unwrap(), Fault::Timeout);
        assert_eq!(quarantine.check(&one, action("models.list")), None);
        assert_eq!(quarantine.check(&other, action("chat")), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let quarantine = Quarantine::default();
        let one = PrincipalKey { digest: [1; 32] };
        for n in 0..PAIRS_MAX + 10 {
            quarantine.note(&one, &n.to_string(), Fault::Trap);
        }
        assert!(quarantine.lock().len() <= PAIRS_MAX);
    }
}
