//! Tokens whose attributes do not fit the policies that were put in force: every request with them is 503.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cedargate::ProfileError;
use cedargate_tokens::Entry;

use crate::gateway::Gateway;
use crate::principals::Slot;

/// Tokens that the log names: enough to find what they have in common.
const NAMED_TOKENS: usize = 10;

/// Profiles that are checked before others have their turn.
const BATCH_PROFILES: usize = 32;

/// Looks for tokens that cannot be used any more, and says so in the log and in the metrics.
pub(crate) async fn look(gateway: Arc<Gateway>) {
    let policy_set = gateway.pdp.info().digest().to_owned();
    let mut unfit: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for (n, entry) in gateway.directory.with_attributes().into_iter().enumerate() {
        if !fits(&gateway, &entry) {
            unfit.insert(Arc::clone(entry.token_id()), Arc::clone(entry.name()));
        }
        if n % BATCH_PROFILES == 0 {
            tokio::task::yield_now().await;
        }
    }
    if gateway.pdp.info().digest() != policy_set {
        // Whoever put the newer ones in force looks, too.
        return;
    }
    let count = u64::try_from(unfit.len()).unwrap_or(u64::MAX);
    gateway.metrics.unfit_tokens.store(count, Ordering::Relaxed);
    if count > 0 {
        let named: Vec<_> = unfit.iter().take(NAMED_TOKENS).map(|(id, name)| format!("{name} ({id})")).collect();
        tracing::warn!(
            tokens = count,
            first = named.join(", "),
            policy_set,
            "attributes of tokens do not fit the policies' schema: requests with these tokens are denied with 503"
        );
    }
}

fn fits(gateway: &Gateway, entry: &Entry<Slot>) -> bool {
    let Ok(profile) = entry.profile() else { return false };
    // A component that is busy says nothing about the profile.
    profile.attributes.is_none() || matches!(gateway.pdp.principal(&profile), Ok(_) | Err(ProfileError::Fault { .. }))
}
