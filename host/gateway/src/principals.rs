//! Prepared principals: one for each version of a token's secret, kept while it is used.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use cedargate::model::Profile;
use cedargate::{Pdp, Principal, ProfileError};
use cedargate_tokens::{Entry, Event};

/// What hangs on an entry of the directory. A changed token has another entry, and so another slot.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    prepared: ArcSwapOption<Prepared>,
    /// Set with every use, cleared by whoever looks for something to drop.
    used: AtomicBool,
    /// Set once the recorder knows that the secret is in use.
    noted: AtomicBool,
}

impl Slot {
    /// Whether this is the first time that anybody asks this.
    fn is_first(&self) -> bool {
        !self.noted.load(Ordering::Relaxed) && !self.noted.swap(true, Ordering::Relaxed)
    }
}

/// A principal, with the profile that it was made from, and what is told of it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) principal: Principal,
    pub(crate) profile: Profile,
    /// The id of the token, or the fingerprint of a provider's key.
    pub(crate) id: Arc<str>,
    /// The name of the token.
    pub(crate) name: Option<Arc<str>>,
    /// Which secret of the token was presented.
    pub(crate) version: Option<u32>,
    pub(crate) team: Option<Arc<str>>,
}

impl Prepared {
    /// Has the component check the profile of a provider's key.
    pub(crate) fn of_key(pdp: &Pdp, profile: Profile) -> Result<Self, ProfileError> {
        let principal = pdp.principal(&profile)?;
        Ok(Self { id: principal.id().into(), principal, profile, name: None, version: None, team: None })
    }

    /// Has the component check the profile of a token.
    fn of_token(pdp: &Pdp, profile: Profile, entry: &Entry<Slot>) -> Result<Self, ProfileError> {
        Ok(Self {
            principal: pdp.principal(&profile)?,
            profile,
            id: Arc::clone(entry.token_id()),
            name: Some(Arc::clone(entry.name())),
            version: Some(entry.secret_version()),
            team: entry.team_id().cloned(),
        })
    }

    /// Says in an event who asked.
    pub(crate) fn sign(&self, event: &mut Event) {
        event.token_id = Some(Arc::clone(&self.id));
        event.token_name.clone_from(&self.name);
        event.secret_version = self.version;
        event.team.clone_from(&self.team);
    }
}

/// Prepares principals, and drops those that were not used for longest.
pub(crate) struct Principals {
    pdp: Pdp,
    /// Those that are prepared, in the order of their preparation.
    ring: Mutex<VecDeque<Arc<Entry<Slot>>>>,
    most: usize,
}

impl Principals {
    pub(crate) fn new(pdp: Pdp, most: u32) -> Self {
        Self { pdp, ring: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX).max(1) }
    }

    /// The principal of an entry, prepared now where it was not before. `None` where it cannot be: the log says why.
    pub(crate) fn get(&self, entry: &Arc<Entry<Slot>>) -> Option<Arc<Prepared>> {
        let slot = entry.prepared(|_| Ok::<_, std::convert::Infallible>(Slot::default())).ok()?;
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        if let Some(prepared) = slot.prepared.load_full() {
            return Some(prepared);
        }
        self.prepare(entry, slot)
    }

    /// Whether the secret of this entry is admitted for the first time since the token was changed, as far as this
    /// process knows.
    pub(crate) fn is_first_use(entry: &Entry<Slot>) -> bool {
        entry.prepared(|_| Err(())).is_ok_and(Slot::is_first)
    }

    fn prepare(&self, entry: &Arc<Entry<Slot>>, slot: &Slot) -> Option<Arc<Prepared>> {
        let token = entry.token_id();
        let profile = entry.profile().inspect_err(|error| tracing::error!(%token, %error, "a token has no profile"));
        let prepared = Prepared::of_token(&self.pdp, profile.ok()?, entry)
            .inspect_err(|error| tracing::error!(%token, %error, "a token's profile cannot be used"));
        let prepared = Arc::new(prepared.ok()?);
        slot.prepared.store(Some(Arc::clone(&prepared)));
        self.keep(Arc::clone(entry));
        Some(prepared)
    }

    /// Keeps an entry, and drops what another prepared if there are too many: the oldest that was not used since
    /// somebody last looked.
    fn keep(&self, entry: Arc<Entry<Slot>>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push_back(entry);
        let mut looked_at = 0_usize;
        while ring.len() > self.most {
            let Some(oldest) = ring.pop_front() else { return };
            let slot = oldest.prepared(|_| Err(())).ok();
            let used = slot.is_some_and(|slot| slot.used.swap(false, Ordering::Relaxed));
            if used && looked_at < self.most {
                looked_at = looked_at.saturating_add(1);
                ring.push_back(oldest);
            } else if let Some(slot) = slot {
                slot.prepared.store(None);
            }
        }
    }
}
