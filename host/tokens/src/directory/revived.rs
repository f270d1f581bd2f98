//! Secrets that were seen revoked, and that a store in the place of another one takes for live: they stay revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedargate::model::Timestamp;

use super::Shared;
use crate::store::{Change, ChangeSet, RESTORED, Store, StoreError};
use crate::token::Token;

/// In whose name they are revoked in the store, too.
const ACTOR: &str = "gateway";

/// A secret by its token and its number.
pub(super) type Revived = (Arc<str>, u32);

/// Revokes in the store what was seen revoked. What cannot be written now is tried again with the next look.
pub(super) async fn write_back<P>(store: &Arc<dyn Store>, shared: &Shared<P>) -> Result<(), StoreError> {
    let revived = shared.secrets.revived();
    if revived.is_empty() {
        return Ok(());
    }
    let written = write(store, &revived).await;
    match &written {
        Ok(()) => tracing::warn!(secrets = revived.len(), "what was revoked before the store was replaced stays so"),
        Err(_) => shared.secrets.put_back(revived),
    }
    written
}

async fn write(store: &Arc<dyn Store>, revived: &[Revived]) -> Result<(), StoreError> {
    let mut versions: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (token_id, version) in revived {
        versions.entry(token_id).or_default().insert(*version);
    }
    let at = Timestamp::now();
    let mut changes = Vec::new();
    for (token_id, versions) in versions {
        let Some(before) = store.token_by_id(token_id).await? else { continue };
        let after = revoked(&before, &versions, at);
        if after != before {
            changes.push(Change { action: RESTORED, before: Some(before), after });
        }
    }
    if !changes.is_empty() {
        store.apply(&ChangeSet { at, actor: ACTOR.to_owned(), changes }).await?;
    }
    Ok(())
}

/// A token with these secrets revoked; with all of them revoked, it is itself.
fn revoked(token: &Token, versions: &BTreeSet<u32>, at: Timestamp) -> Token {
    let mut after = token.clone();
    for secret in after.secrets.iter_mut().filter(|secret| versions.contains(&secret.version)) {
        secret.revoked_at = secret.revoked_at.or(Some(at));
    }
    if after.secrets.iter().all(|secret| secret.revoked_at.is_some()) {
        after.revoked_at = after.revoked_at.or(Some(at));
    }
    after
}
