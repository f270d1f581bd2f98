//! The principals that were prepared, by their text.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use cedargate::{Pdp, ProfileError};

use crate::ruling::{self, Prepared};

/// Principals that are kept: as many as an instance keeps prepared. Twice as many may be held for a moment.
const PRINCIPALS_MAX: usize = 10_000;

/// Keeps what was used lately: a generation that is full becomes the old one, and what is used of the old one moves
/// to the new. So nothing that is used again within a generation is lost, and no list of uses is needed.
#[derive(Default)]
pub(crate) struct Principals {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<String, Prepared>,
    old: HashMap<String, Prepared>,
}

impl Principals {
    /// The principal of a profile, prepared now where it was not before.
    pub(crate) fn get(&self, pdp: &Pdp, profile: &str) -> Result<Prepared, ProfileError> {
        if let Some(known) = self.lock(|generations| generations.get(profile)) {
            return Ok(known);
        }
        let prepared = ruling::prepare(pdp, profile)?;
        self.lock(|generations| generations.insert(profile.to_owned(), prepared.clone()));
        Ok(prepared)
    }

    fn lock<R>(&self, action: impl FnOnce(&mut Generations) -> R) -> R {
        // INVARIANT: no action leaves a half-made change, so what a thread that panicked left is sound.
        action(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn get(&mut self, profile: &str) -> Option<Prepared> {
        if let Some(known) = self.young.get(profile) {
            return Some(known.clone());
        }
        let (profile, known) = self.old.remove_entry(profile)?;
        self.insert(profile, known.clone());
        Some(known)
    }

    fn insert(&mut self, profile: String, prepared: Prepared) {
        if self.young.len() >= PRINCIPALS_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(profile, prepared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruling::Refused;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut generations = Generations::default();
        let refused = || Err(Refused::Malformed(String::new()));
        generations.insert("used".to_owned(), refused());
        generations.insert("unused".to_owned(), refused());
        for n in 0..3 * PRINCIPALS_MAX {
            assert!(generations.get("used").is_some());
            generations.insert(n.to_string(), refused());
        }
        assert!(generations.get("unused").is_none());
        assert!(generations.young.len() + generations.old.len() <= 2 * PRINCIPALS_MAX);
    }
}
