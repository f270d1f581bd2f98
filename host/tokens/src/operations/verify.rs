//! Whether the audit log, and the tokens that it speaks of, are as they were written.

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedargate::model::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Tokens;
use crate::audit::{AuditEntry, ChainHash, Tampered, Verified, Walk};
use crate::describe::describe;
use crate::store::{Descent, Replacement, RowSeal, StoreError, StoredRow, TokenStore};
use names::Names;

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

    /// Checks every entry of the audit log against the one before it, every token against the last entry about it, that
    /// there is an entry for each change, and that the log holds an entry with the hash `known`, where one was kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be read. What was tampered with is an answer, not an error.
    pub async fn audit_verify(&self, known: Option<ChainHash>) -> Result<Result<Verified, Tampered>, StoreError> {
        verify(&*self.store, known).await
    }
}

/// Whether entries are missing: each change of a token is one revision and one entry.
pub(crate) fn cut_off(entries: i64, changes: i64) -> Option<Tampered> {
    (entries < changes).then_some(Tampered::CutOff { entries, changes })
}

/// The same for a store that nothing is done with.
pub(crate) async fn verify(
    store: &(impl TokenStore + ?Sized),
    known: Option<ChainHash>,
) -> Result<Result<Verified, Tampered>, StoreError> {
    let seen = store.seen();
    let lineage = store.lineage().await?;
    if let Some(seen) = seen
        && lineage.descent(&seen) == Descent::Strange
    {
        return Ok(Err(Tampered::Replaced(Replacement { seen, found: lineage })));
    }
    // Tokens are read before the log: whatever changes meanwhile is behind this entry.
    let settled = store.audit_last().await?.map_or(0, |entry| entry.number);
    if let Some(cut) = cut_off(settled, lineage.revision) {
        return Ok(Err(cut));
    }
    let tokens = tokens(store).await?;
    let mut log = Log { walk: Walk::towards(known), settled, last: BTreeMap::new(), names: Names::default() };
    let mut number = 0;
    loop {
        let page = store.audit_after(number, PAGE).await?;
        let Some(end) = page.last() else { break };
        number = end.number;
        for entry in &page {
            if let Err(tampered) = log.step(entry) {
                return Ok(Err(tampered));
            }
        }
    }
    Ok(log.end(&tokens))
}

/// A token as it is stored.
struct Stored {
    row: StoredRow,
    /// How an entry of an older version would tell of it; nothing where the grant cannot be read.
    described: Option<Fingerprint>,
    /// Whether what stands beside the grant is what the grant says.
    agrees: bool,
}

async fn tokens(store: &(impl TokenStore + ?Sized)) -> Result<BTreeMap<String, Stored>, StoreError> {
    let mut stored = BTreeMap::new();
    let mut after = 0;
    loop {
        let rows = store.rows(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(stored) };
        let place = last.place;
        let mut described = described(store, after).await?;
        for row in rows {
            let (print, beside) = described.remove(&row.id).unwrap_or_default();
            let agrees = beside.is_none_or(|beside| beside == (row.team_id.clone(), row.expires_at));
            stored.insert(row.id.clone(), Stored { row, described: print, agrees });
        }
        after = place;
    }
}

type Described = (Option<Fingerprint>, Option<(Option<String>, Option<Timestamp>)>);

/// Tokens after a place as entries tell of them. What cannot be read was changed past the log, and is found by its rows.
async fn described(store: &(impl TokenStore + ?Sized), after: i64) -> Result<HashMap<String, Described>, StoreError> {
    let page = match store.tokens(after, PAGE).await {
        Ok(page) => page,
        Err(StoreError::Invalid(_)) => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let mut described = HashMap::with_capacity(page.tokens.len());
    for token in page.tokens {
        let text = describe(&token, None).map_err(StoreError::invalid)?;
        let beside = (token.grant.team_id, token.grant.expires_at);
        described.insert(token.id, (Some(fingerprint(&text)), Some(beside)));
    }
    Ok(described)
}

/// What an entry says of a token, as far as it is compared.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    revoked_at: Option<Timestamp>,
    #[serde(default)]
    rows: Option<RowSeal>,
}

/// The last entry about a token.
struct Last {
    number: i64,
    name: String,
    print: Fingerprint,
    rows: Option<RowSeal>,
}

/// The log, from its beginning to its end.
struct Log {
    walk: Walk,
    settled: i64,
    last: BTreeMap<String, Last>,
    names: Names,
}

impl Log {
    fn step(&mut self, entry: &AuditEntry) -> Result<(), Tampered> {
        self.walk.step(entry)?;
        let unreadable = |_| Tampered::Changed { number: entry.number };
        let told: Told = serde_json::from_str(&entry.after).map_err(unreadable)?;
        let before = entry.before.as_deref().map(serde_json::from_str::<Told>).transpose().map_err(unreadable)?;
        if let Some(last) = self.last.get(&entry.token_id)
            && let (Some(then), Some(now)) = (&last.rows, before.and_then(|before| before.rows))
            && then.is_like(&now)
            && *then != now
        {
            return Err(changed(&entry.token_id, &last.name, last.number));
        }
        self.names.step(entry, told.expires_at, told.revoked_at.is_some(), self.settled);
        let last = Last {
            number: entry.number,
            name: entry.token_name.clone(),
            print: fingerprint(&entry.after),
            rows: told.rows,
        };
        self.last.insert(entry.token_id.clone(), last);
        Ok(())
    }

    /// Compares the tokens with the last entries about them.
    fn end(self, tokens: &BTreeMap<String, Stored>) -> Result<Verified, Tampered> {
        let mut verified = self.walk.end()?;
        let ids: BTreeSet<&String> = tokens.keys().chain(self.last.keys()).collect();
        for id in ids {
            let (stored, last) = match (tokens.get(id), self.last.get(id)) {
                (_, Some(last)) if last.number > self.settled => continue,
                (Some(stored), Some(last)) => (stored, last),
                (None, Some(last)) => return Err(changed(id, &last.name, last.number)),
                // One that was made meanwhile has an entry.
                (Some(stored), None) => return Err(changed(id, &stored.row.name, 0)),
                (None, None) => continue,
            };
            let as_told = match &last.rows {
                Some(rows) => stored.row.seal == *rows,
                None => {
                    verified.covered_in_part = verified.covered_in_part.saturating_add(1);
                    stored.agrees && stored.described == Some(last.print)
                }
            };
            let held = self.names.holds(&last.name, id);
            if !as_told || stored.row.revision != last.number || held.is_some_and(|held| held != stored.row.name_held) {
                return Err(changed(id, &last.name, last.number));
            }
        }
        Ok(verified)
    }
}

fn changed(token_id: &str, token_name: &str, number: i64) -> Tampered {
    Tampered::TokenChanged { token_id: token_id.to_owned(), token_name: token_name.to_owned(), number }
}
