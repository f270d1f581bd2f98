//! Whether the audit log, and the tokens that it speaks of, are as they were written.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::Tokens;
use crate::audit::{AuditEntry, ChainHash, Tampered, Verified, Walk};
use crate::describe::describe;
use crate::store::{StoreError, TokenStore};

/// Entries and tokens that are fetched at a time.
const PAGE: u32 = 1_000;

type Fingerprint = [u8; 32];

fn fingerprint(text: &str) -> Fingerprint {
    Sha256::digest(text.as_bytes()).into()
}

impl Tokens {
    /// Entries of the audit log after a number, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn audit_after(&self, number: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit_after(number, limit).await
    }

    /// The hash of the last entry of the audit log: who keeps it can show later that nothing before it was changed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn audit_head(&self) -> Result<Option<ChainHash>, StoreError> {
        Ok(self.store.audit_last().await?.map(|entry| entry.hash))
    }

    /// Checks every entry of the audit log against the one before it, every token against the last entry about it,
    /// and that the log holds an entry with the hash `known`, where one was kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be read. What was tampered with is an answer, not an error.
    pub async fn audit_verify(&self, known: Option<ChainHash>) -> Result<Result<Verified, Tampered>, StoreError> {
        verify(&*self.store, known).await
    }
}

/// The same for a store that nothing is done with.
pub(crate) async fn verify(
    store: &(impl TokenStore + ?Sized),
    known: Option<ChainHash>,
) -> Result<Result<Verified, Tampered>, StoreError> {
    // Tokens are read first: whatever changes meanwhile is behind this entry.
    let settled = store.audit_last().await?.map_or(0, |entry| entry.number);
    let tokens = token_fingerprints(store).await?;
    let mut walk = Walk::towards(known);
    let mut last: HashMap<String, (i64, Fingerprint)> = HashMap::new();
    let mut number = 0;
    loop {
        let page = store.audit_after(number, PAGE).await?;
        let Some(end) = page.last() else { break };
        number = end.number;
        for entry in page {
            if let Err(tampered) = walk.step(&entry) {
                return Ok(Err(tampered));
            }
            last.insert(entry.token_id, (entry.number, fingerprint(&entry.after)));
        }
    }
    Ok(compare(&tokens, &last, settled).and_then(|()| walk.end()))
}

async fn token_fingerprints(store: &(impl TokenStore + ?Sized)) -> Result<HashMap<String, Fingerprint>, StoreError> {
    let mut tokens = HashMap::new();
    let mut after = Some(0);
    while let Some(place) = after {
        let page = store.tokens(place, PAGE).await?;
        for token in page.tokens {
            let described = describe(&token).map_err(StoreError::invalid)?;
            tokens.insert(token.id, fingerprint(&described));
        }
        after = page.next;
    }
    Ok(tokens)
}

fn compare(
    tokens: &HashMap<String, Fingerprint>,
    last: &HashMap<String, (i64, Fingerprint)>,
    settled: i64,
) -> Result<(), Tampered> {
    let ids: HashSet<&String> = tokens.keys().chain(last.keys()).collect();
    for id in ids {
        let (number, logged) = last.get(id).map_or((0, None), |(number, print)| (*number, Some(print)));
        if number <= settled && logged != tokens.get(id) {
            return Err(Tampered::TokenChanged { token_id: id.clone(), number });
        }
    }
    Ok(())
}
