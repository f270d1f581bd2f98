//! What an instance remembers of requests it has decided.
//!
//! Not decisions: what of a decision cannot change while the principal and the request's text are the same. The
//! rest, which is what depends on the time and on the host's counters, is evaluated again every time.
//!
//! The table has a fixed number of places for each key, so that no choice of requests can make it slow: whoever
//! finds requests that share a place makes only the entries of that place be forgotten. Keys are whole texts.

use crate::decide::policy_set::Outcome;
use crate::facts::symbol::{hash_bytes, same_text};
use std::rc::Rc;

/// What can be said of a request whatever the time and the counters are.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rules that are satisfied.
    pub satisfied: Vec<u32>,
    /// The rules that are satisfied if these of their conjuncts are true, one bit for each.
    pub open: Vec<(u32, u64)>,
    /// It holds from this time on,
    pub from: i64,
    /// until just before this one.
    pub until: i64,
    /// What is decided where the host passes no counters, if that was the case once.
    pub uncounted: Option<Uncounted>,
}

/// A decision that depends on nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// Its class.
    pub outcome: Outcome,
    /// The policy whose status, code and message a denial carries.
    pub deciding: Option<u32>,
    /// The determining policies, ascending.
    pub policies: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    principal: u64,
    hash: u64,
    text: Box<str>,
    action: u32,
    verdict: Rc<Verdict>,
    used: bool,
}

/// The places that one key may stand in.
const WAYS: usize = 8;

/// The part of the memory that one principal may fill: one of so many.
const PARTS: usize = 8;

/// What is remembered.
#[derive(Debug, Default)]
pub struct DecisionCache {
    sets: Vec<Vec<Entry>>,
    sets_max: usize,
}

impl DecisionCache {
    /// A memory of so many requests.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self { sets: Vec::new(), sets_max: entries / WAYS }
    }

    /// The action and the verdict of a request of a principal.
    pub fn get(&mut self, principal: u64, text: &str) -> Option<(u32, Rc<Verdict>)> {
        let count = self.sets.len();
        let hash = hash_bytes(principal, text.as_bytes());
        let entries = self.sets.get_mut(place(principal, hash, count)?)?;
        let found = entries.iter_mut().find(|entry| entry.hash == hash && entry.is(principal, text))?;
        found.used = true;
        Some((found.action, Rc::clone(&found.verdict)))
    }

    /// Remembers a request of a principal.
    pub fn put(&mut self, principal: u64, text: &str, action: u32, verdict: Rc<Verdict>) {
        if self.sets.is_empty() {
            self.sets.resize_with(self.sets_max, Vec::new);
        }
        let count = self.sets.len();
        let hash = hash_bytes(principal, text.as_bytes());
        let Some(entries) = place(principal, hash, count).and_then(|at| self.sets.get_mut(at)) else { return };
        if let Some(known) = entries.iter_mut().find(|entry| entry.hash == hash && entry.is(principal, text)) {
            known.verdict = verdict;
            return;
        }
        let entry = Entry { principal, hash, text: text.into(), action, verdict, used: false };
        if entries.len() < WAYS {
            entries.push(entry);
            return;
        }
        // The first that was not used since it was last looked at; where all were, the first.
        let at = entries.iter().position(|entry| !entry.used).unwrap_or(0);
        entries.iter_mut().take(at.max(1)).for_each(|entry| entry.used = false);
        if at < entries.len() {
            entries.remove(at);
        }
        entries.push(entry);
    }
}

impl Entry {
    fn is(&self, principal: u64, text: &str) -> bool {
        self.principal == principal && same_text(&self.text, text)
    }
}

/// A principal's part begins where its number says, so that parts overlap only where there are many principals.
fn place(principal: u64, hash: u64, count: usize) -> Option<usize> {
    let part = (count / PARTS).max(1);
    let start = usize::try_from(principal).ok()?.wrapping_mul(part);
    start.wrapping_add(usize::try_from(hash >> 32).ok()?.checked_rem(part)?).checked_rem(count)
}

#[cfg(test)]
mod tests {
    use super::{DecisionCache, Verdict, WAYS};
    use std::rc::Rc;

    fn verdict(rule: u32) -> Rc<Verdict> {
        Rc::new(Verdict { satisfied: vec![rule], open: Vec::new(), from: 0, until: 1, uncounted: None })
    }

    #[test]
    fn a_memory_is_bounded_and_answers_for_whole_keys_only() {
        let entries = 1024;
        let mut memory = DecisionCache::new(entries);
        assert!(memory.get(1, "a").is_none());
        for n in 0..10 * entries {
            memory.put(n as u64 % 3, &n.to_string(), 0, verdict(n as u32));
        }
        let kept: usize = memory.sets.iter().map(Vec::len).sum();
        assert!(kept <= entries && kept > entries / 4, "{kept}");
        for n in 0..10 * entries {
            for principal in 0..3 {
                if let Some((_, found)) = memory.get(principal, &n.to_string()) {
                    assert_eq!((n as u64 % 3, found.satisfied[0]), (principal, n as u32));
                }
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut memory = DecisionCache::new(WAYS);
        memory.put(1, "kept", 0, verdict(0));
        for n in 0..100 {
            assert!(memory.get(1, "kept").is_some(), "{n}");
            memory.put(1, &n.to_string(), 0, verdict(1));
        }
        DecisionCache::new(0).put(1, "a", 0, verdict(0));
    }
}
