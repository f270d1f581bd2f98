//! Decisions that the component declared to hold for a while, remembered for requests that are the same.
//!
//! What may be answered from here is the component's to say: a decision carries the interval in which it holds, for
//! this policy set, this profile and a request with the same values. The key is the whole request; the interval is
//! the component's own. The table belongs to one policy set and goes with it, and a changed profile has another key, so
//! nothing that was revoked is ever found: `max_cache_ms` is for caches elsewhere, and only where it is zero nothing is
//! remembered here, either. A request with counters is never remembered, since they change with every request.
//!
//! Nothing is locked: a place holds a pointer that is read and replaced at once. A key has few places that it may
//! stand in, so no choice of requests makes the table slow, and those of one principal are a part of the table only.
//! Its hash need not withstand an attacker for that: who finds keys that share their places makes them be forgotten.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use foldhash::quality::RandomState;

use crate::decision::{Decision, Ruling};
use crate::model::{RequestRef, Timestamp};
use crate::outcome::Outcome;
use crate::principal::PrincipalKey;

/// The places that one key may stand in.
const WAYS: usize = 4;

/// The part of the table that one principal may fill: one of so many.
const PARTS: u64 = 8;

/// Longer requests are not remembered. With the limit on decisions this bounds the memory.
const KEY_BYTES_MAX: usize = 1 << 10;

struct Entry {
    principal: PrincipalKey,
    hash: u64,
    key: Box<[u8]>,
    holds: Range<Timestamp>,
    ruling: Arc<Ruling>,
}

/// What is remembered of one policy set.
pub(crate) struct Remembered {
    places: Box<[ArcSwapOption<Entry>]>,
    hasher: RandomState,
}

/// A request as bytes: equal exactly for equal requests.
pub(crate) struct Key {
    hash: u64,
    bytes: Vec<u8>,
}

thread_local! {
    /// The memory of the last key, for the next one.
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Drop for Key {
    fn drop(&mut self) {
        BYTES.set(std::mem::take(&mut self.bytes));
    }
}

impl Remembered {
    /// A table of so many decisions. None for zero.
    pub(crate) fn new(decisions: usize) -> Option<Self> {
        let sets = decisions.checked_div(WAYS).filter(|sets| *sets > 0)?;
        let places = (0..sets * WAYS).map(|_| ArcSwapOption::empty()).collect();
        Some(Self { places, hasher: RandomState::default() })
    }

    /// The key of a request. `None` where it is not remembered.
    pub(crate) fn key(&self, request: &RequestRef<'_>) -> Option<Key> {
        self.key_of(|bytes| write(request, bytes))
    }

    /// The key of a request in the record's form, whose counters stand apart.
    pub(crate) fn text_key(&self, request: &str, counters: &str) -> Option<Key> {
        self.key_of(|bytes| {
            bytes.push(TEXT);
            bytes.extend_from_slice(request.as_bytes());
            counters.is_empty() && bytes.len() <= KEY_BYTES_MAX
        })
    }

    /// A key that is written before it is used.
    pub(crate) fn blank() -> Key {
        Key { hash: 0, bytes: BYTES.take() }
    }

    /// Makes of a key that of a request. `false` where it is not remembered.
    pub(crate) fn rewrite(&self, key: &mut Key, request: &RequestRef<'_>) -> bool {
        self.write(key, |bytes| write(request, bytes))
    }

    fn key_of(&self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Key> {
        let mut key = Self::blank();
        self.write(&mut key, write).then_some(key)
    }

    fn write(&self, key: &mut Key, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        key.bytes.clear();
        let is_kept = write(&mut key.bytes);
        key.hash = self.hasher.hash_one(&key.bytes);
        is_kept
    }

    /// The places of a key.
    fn ways(&self, principal: &PrincipalKey, key: &Key) -> &[ArcSwapOption<Entry>] {
        let sets = (self.places.len() / WAYS) as u64;
        // The digest is spread well: its first bytes say where the principal's part of the table begins.
        let start = principal.digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let part = (sets / PARTS).max(1);
        let set = below(sets, start) + below(part, key.hash);
        let set = if set < sets { set } else { set - sets };
        let first = usize::try_from(set).unwrap_or(0) * WAYS;
        self.places.get(first..first + WAYS).unwrap_or_default()
    }

    /// What was decided about a request.
    pub(crate) fn find(&self, principal: &PrincipalKey, key: &Key, at: Timestamp) -> Option<Decision> {
        self.ways(principal, key).iter().find_map(|place| {
            let entry = place.load();
            let entry = entry.as_ref()?;
            let same = entry.hash == key.hash
                && entry.holds.contains(&at)
                && entry.principal == *principal
                && *key.bytes == *entry.key;
            same.then(|| Decision::of(Arc::clone(&entry.ruling), entry.holds.clone(), at))
        })
    }

    /// Remembers the decision about a request.
    pub(crate) fn put(&self, principal: &PrincipalKey, key: &Key, at: Timestamp, decision: &Decision) {
        if decision.valid().is_empty()
            || !decision.holds.contains(&at)
            || decision.is_exceptional()
            || decision.outcome() == Outcome::Throttled
        {
            return;
        }
        let ways = self.ways(principal, key);
        let is_free = |place: &&ArcSwapOption<Entry>| {
            place
                .load()
                .as_ref()
                .is_none_or(|entry| entry.holds.end <= at || (entry.hash == key.hash && entry.principal == *principal))
        };
        // Where all are taken, the request's own hash says which one goes: no order is kept.
        let any = usize::try_from(key.hash >> 32).unwrap_or(0) % WAYS;
        let Some(place) = ways.iter().find(is_free).or_else(|| ways.get(any)) else { return };
        let entry = Entry {
            principal: *principal,
            hash: key.hash,
            key: key.bytes.as_slice().into(),
            holds: decision.holds.clone(),
            ruling: Arc::clone(&decision.ruling),
        };
        place.store(Some(Arc::new(entry)));
    }
}

/// A number below `end` for a number that is spread over all there are, without dividing.
fn below(end: u64, spread: u64) -> u64 {
    let product = u128::from(end) * u128::from(spread);
    u64::try_from(product >> u64::BITS).unwrap_or(0)
}

/// What stands first in the key of a text.
const TEXT: u8 = u8::MAX;

/// Writes a request so that different requests give different bytes. `false` where it is not remembered.
fn write(request: &RequestRef<'_>, key: &mut Vec<u8>) -> bool {
    let RequestRef {
        action,
        provider,
        model,
        gateway_id,
        team_id,
        consumer_group,
        client_ip,
        org_id,
        target,
        current,
        attributes,
        budget,
        team_budget,
        rate,
        team_rate,
    } = *request;
    // A token as it is changes with every edit, and lists ask about thousands: they would push out what is worth it.
    if current.is_some() || [budget, team_budget, rate, team_rate].iter().any(Option::is_some) {
        return false;
    }
    let texts = [provider, model, gateway_id, team_id, consumer_group, client_ip, org_id];
    field(0, action, key);
    for (number, text) in (1_u8..).zip(texts) {
        if let Some(text) = text {
            field(number, text, key);
        }
    }
    let written = |number: u8, value: Option<serde_json::Result<String>>, key: &mut Vec<u8>| match value {
        None => true,
        Some(Ok(text)) => {
            field(number, &text, key);
            true
        }
        Some(Err(_)) => false,
    };
    written(8, target.map(serde_json::to_string), key)
        && written(9, attributes.map(serde_json::to_string), key)
        && key.len() <= KEY_BYTES_MAX
}

/// Number, length and text: no text can be taken for the beginning of another field.
fn field(number: u8, text: &str, key: &mut Vec<u8>) {
    key.push(number);
    key.extend_from_slice(&text.len().to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::model::{Request, RequestRef};

    fn key(fill: impl FnOnce(&mut Request)) -> Option<Vec<u8>> {
        let mut request = Request::new("a");
        fill(&mut request);
        let mut key = Vec::new();
        write(&RequestRef::from(&request), &mut key).then_some(key)
    }

    #[test]
    fn different_requests_have_different_keys() {
        let text = |text: &str| Some(text.to_owned());
        let keys = [
            key(|_| {}),
            key(|r| r.provider = text("")),
            key(|r| r.provider = text("x")),
            key(|r| r.model = text("x")),
            key(|r| (r.provider, r.model) = (text("x"), text("y"))),
            key(|r| r.provider = text("x\u{2}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}y")),
            key(|r| r.team_id = text("x")),
            key(|r| r.attributes = Some([("n", 1.into())].into_iter().collect())),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(one.is_some());
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{one:?}");
        }
    }

    #[test]
    fn counters_tokens_and_long_requests_have_none() {
        assert!(key(|r| r.model = Some("m".repeat(2_000))).is_none());
        assert!(key(|r| r.budget = Some(crate::model::Counter::new(1, 0, 1))).is_none());
        assert!(key(|r| r.current = Some(crate::model::Target::default())).is_none());
    }
}
