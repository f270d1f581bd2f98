//! Providers' own keys that clients present themselves. Off unless the configuration says how such keys begin.
//!
//! Such a key is a principal like any other: all policies apply. It is known by its fingerprint and goes to its own
//! provider alone.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use cedargate::Pdp;
use cedargate::model::Profile;
use cedargate_tokens::SecretHash;

use crate::config::Config;
use crate::principals::Prepared;

/// Bytes of a hash that a fingerprint shows: enough that no two keys meet, in budgets or in events.
const FINGERPRINT_BYTES: usize = 16;

/// How keys of providers begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes {
    /// The longest first, so that `sk-ant-` comes before `sk-`.
    list: Vec<(String, Arc<str>)>,
}

impl Prefixes {
    pub(crate) fn of(config: &Config) -> Self {
        let of_provider = |(id, provider): (&String, &crate::config::Provider)| {
            let id: Arc<str> = id.as_str().into();
            provider.pass_through.iter().map(move |prefix| (prefix.clone(), Arc::clone(&id))).collect::<Vec<_>>()
        };
        let mut list: Vec<_> = config.providers.iter().flat_map(of_provider).collect();
        list.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { list }
    }

    /// The provider whose keys begin like this one.
    pub(crate) fn provider(&self, key: &str) -> Option<&Arc<str>> {
        self.list.iter().find(|(prefix, _)| key.starts_with(prefix.as_str())).map(|(_, provider)| provider)
    }
}

/// The principals of such keys: those that were used lately, twice the limit at most.
///
/// A generation that is full becomes the old one, and what is used of the old one moves to the new.
pub(crate) struct ProviderKeys {
    generations: Mutex<Generations>,
    most: usize,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Known, Arc<Prepared>>,
    old: HashMap<Known, Arc<Prepared>>,
}

/// The whole hash: a part of it would let two keys meet.
type Known = ([u8; 32], Arc<str>);

impl ProviderKeys {
    pub(crate) fn new(most: u32) -> Self {
        Self { generations: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX).max(1) }
    }

    /// The principal of a key at a provider. `None` where the component does not take it: the log says why.
    pub(crate) fn get(&self, pdp: &Pdp, hash: &SecretHash, provider: &Arc<str>) -> Option<Arc<Prepared>> {
        let known = (*hash.as_bytes(), Arc::clone(provider));
        if let Some(prepared) = self.with(|generations| generations.get(&known, self.most)) {
            return Some(prepared);
        }
        let prepared = Prepared::of_key(pdp, profile(hash, provider))
            .inspect_err(|error| tracing::error!(%error, "a provider's key cannot be a principal"));
        let prepared = Arc::new(prepared.ok()?);
        self.with(|generations| generations.insert(known, Arc::clone(&prepared), self.most));
        Some(prepared)
    }

    fn with<R>(&self, action: impl FnOnce(&mut Generations) -> R) -> R {
        // INVARIANT: no action leaves a half-made change.
        action(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn get(&mut self, known: &Known, most: usize) -> Option<Arc<Prepared>> {
        if let Some(prepared) = self.young.get(known) {
            return Some(Arc::clone(prepared));
        }
        let (known, prepared) = self.old.remove_entry(known)?;
        self.insert(known, Arc::clone(&prepared), most);
        Some(prepared)
    }

    fn insert(&mut self, known: Known, prepared: Arc<Prepared>, most: usize) {
        if self.young.len() >= most {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(known, prepared);
    }
}

/// The profile of a key: attributed to its fingerprint, and bound to its provider.
fn profile(hash: &SecretHash, provider: &str) -> Profile {
    let mut id = "sha256:".to_owned();
    for byte in hash.as_bytes().iter().take(FINGERPRINT_BYTES) {
        // Writing into a string does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    let mut profile = Profile::new(id, "provider_passthrough", "provider_key", "active");
    profile.bindings.providers = Some(vec![provider.to_owned()]);
    profile
}
