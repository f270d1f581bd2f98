//! A map in many parts, so that a change never keeps look-ups waiting.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::entry::Entry;
use super::revived::Revived;
use crate::secret::SecretHash;
use crate::token::Status;

/// Parts of the map. Each grows by itself: copying one while it grows takes a 256th of what copying all would.
const SHARDS: usize = 256;

type Shard<P> = HashMap<SecretHash, Arc<Entry<P>>, BuildHasherDefault<FirstBytes>>;

pub(super) struct Shards<P> {
    shards: Box<[RwLock<Shard<P>>]>,
    changes: AtomicU64,
    /// Revoked secrets that came back as if they were not.
    revived: Mutex<Vec<Revived>>,
}

impl<P> Default for Shards<P> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            changes: AtomicU64::new(0),
            revived: Mutex::default(),
        }
    }
}

impl<P> Shards<P> {
    fn shard(&self, hash: &SecretHash) -> Option<&RwLock<Shard<P>>> {
        // The last byte chooses the part; the map inside it uses the first eight.
        hash.as_bytes().last().and_then(|byte| self.shards.get(usize::from(*byte)))
    }

    pub(super) fn get(&self, hash: &SecretHash) -> Option<Arc<Entry<P>>> {
        let shard = self.shard(hash)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(hash).cloned()
    }

    /// Puts an entry in the place of an older one; a newer one stays.
    pub(super) fn put(&self, hash: SecretHash, entry: Entry<P>) {
        let Some(shard) = self.shard(&hash) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(hash) {
            hash_map::Entry::Vacant(place) => {
                place.insert(Arc::new(entry));
            }
            // INVARIANT: a change that was read from the store before another was made here never undoes it.
            hash_map::Entry::Occupied(mut place) => {
                if place.get().revision() < entry.revision() {
                    // What was seen revoked stays revoked, whatever a store says that was put back.
                    let entry = match (place.get().status(), entry.status()) {
                        (Status::Revoked, Status::Revoked) => entry,
                        (Status::Revoked, _) => {
                            self.put_back(vec![(Arc::clone(entry.token_id()), entry.secret_version())]);
                            entry.revoked(entry.revision())
                        }
                        _ => entry,
                    };
                    place.insert(Arc::new(entry));
                }
            }
        }
        // INVARIANT: behind the change and before the lock is given back, so that who sees the number sees the change,
        // and who has looked up what was there before finds another number later.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The entries that meet a condition.
    pub(super) fn filter(&self, is_meant: impl Fn(&Entry<P>) -> bool) -> Vec<Arc<Entry<P>>> {
        let mut meant = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            meant.extend(shard.values().filter(|entry| is_meant(entry)).cloned());
        }
        meant
    }

    /// Forgets all that were not revoked, and what is newer than what.
    pub(super) fn forget(&self) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, entry| entry.status() == Status::Revoked);
            for entry in shard.values_mut() {
                *entry = Arc::new(entry.revoked(i64::MIN));
            }
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// Takes the revoked secrets that came back as if they were not.
    pub(super) fn revived(&self) -> Vec<Revived> {
        std::mem::take(&mut *self.revived.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These are still to be revoked.
    pub(super) fn put_back(&self, revived: Vec<Revived>) {
        self.revived.lock().unwrap_or_else(PoisonError::into_inner).extend(revived);
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// Takes eight bytes of a hash as they are: they are spread well already, and nobody can choose them.
#[derive(Default)]
struct FirstBytes {
    hash: u64,
}

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.hash = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}
