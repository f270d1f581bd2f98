//! A store that can be put out of reach and back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cedargate::model::Timestamp;
use cedargate_tokens::{
    Ask, AuditEntry, Batch, BudgetKey, BudgetStore, ChangeSet, Event, EventFilter, Granted, Lineage, RecordStore,
    SecretHash, SecretsPage, Settlement, SqliteStore, StoreError, StoredRow, StoredSecret, Token, TokenPage,
    TokenStore, UsageCount, Work,
};

#[derive(Debug)]
pub struct FailingStore {
    inner: SqliteStore,
    away: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    ahead: Arc<Mutex<Option<ChangeSet>>>,
}

impl FailingStore {
    /// A store, and the switch that puts it out of reach.
    pub fn new(inner: SqliteStore) -> (Self, Arc<AtomicBool>) {
        let away = Arc::new(AtomicBool::new(false));
        (Self { inner, away: Arc::clone(&away), asked: Arc::default(), ahead: Arc::default() }, away)
    }

    /// How often the store was asked for one secret.
    pub fn asked(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.asked)
    }

    /// What somebody else changes once, just before the next change.
    pub fn ahead(&self) -> Arc<Mutex<Option<ChangeSet>>> {
        Arc::clone(&self.ahead)
    }

    fn unless_away<'a, T: Send + 'a>(&'a self, work: Work<'a, T>) -> Work<'a, T> {
        if self.away.load(Ordering::Relaxed) { Box::pin(async { Err(StoreError::Busy) }) } else { work }
    }
}

impl TokenStore for FailingStore {
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Work<'a, Vec<i64>> {
        let ahead = self.ahead.lock().unwrap().take();
        self.unless_away(Box::pin(async move {
            if let Some(ahead) = ahead {
                self.inner.apply(&ahead).await?;
            }
            self.inner.apply(changes).await
        }))
    }

    fn token_by_id<'a>(&'a self, id: &'a str) -> Work<'a, Option<Token>> {
        self.unless_away(self.inner.token_by_id(id))
    }

    fn tokens_by_name<'a>(&'a self, name: &'a str, limit: u32) -> Work<'a, Vec<Token>> {
        self.unless_away(self.inner.tokens_by_name(name, limit))
    }

    fn tokens(&self, after: i64, limit: u32) -> Work<'_, TokenPage> {
        self.unless_away(self.inner.tokens(after, limit))
    }

    fn token_place<'a>(&'a self, id: &'a str) -> Work<'a, Option<i64>> {
        self.unless_away(self.inner.token_place(id))
    }

    fn rows(&self, after: i64, limit: u32) -> Work<'_, Vec<StoredRow>> {
        self.unless_away(self.inner.rows(after, limit))
    }

    fn audit_after(&self, number: i64, limit: u32) -> Work<'_, Vec<AuditEntry>> {
        self.unless_away(self.inner.audit_after(number, limit))
    }

    fn audit_last(&self) -> Work<'_, Option<AuditEntry>> {
        self.unless_away(self.inner.audit_last())
    }

    fn newest(&self) -> Work<'_, Option<Timestamp>> {
        self.unless_away(self.inner.newest())
    }

    fn forget_newest(&self, now: Timestamp) -> Work<'_, ()> {
        self.unless_away(self.inner.forget_newest(now))
    }

    fn secret<'a>(&'a self, hash: &'a SecretHash) -> Work<'a, Option<StoredSecret>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.unless_away(self.inner.secret(hash))
    }

    fn lineage(&self) -> Work<'_, Lineage> {
        self.unless_away(self.inner.lineage())
    }

    fn secrets_after(&self, revision: i64, tokens_max: u32) -> Work<'_, Option<SecretsPage>> {
        self.unless_away(self.inner.secrets_after(revision, tokens_max))
    }
}

impl RecordStore for FailingStore {
    fn write<'a>(&'a self, batch: &'a Batch) -> Work<'a, ()> {
        self.unless_away(self.inner.write(batch))
    }

    fn tidy(&self, at: Timestamp) -> Work<'_, ()> {
        self.unless_away(self.inner.tidy(at))
    }

    fn usage<'a>(&'a self, token_id: &'a str, since: Timestamp) -> Work<'a, Vec<(String, UsageCount)>> {
        self.unless_away(self.inner.usage(token_id, since))
    }

    fn events<'a>(&'a self, filter: &'a EventFilter, after: Option<i64>, limit: u32) -> Work<'a, Vec<(i64, Event)>> {
        self.unless_away(self.inner.events(filter, after, limit))
    }
}

impl BudgetStore for FailingStore {
    fn reserve<'a>(
        &'a self,
        holder: &'a str,
        asks: &'a [Ask],
        at: Timestamp,
        until: Timestamp,
    ) -> Work<'a, Vec<Granted>> {
        self.unless_away(self.inner.reserve(holder, asks, at, until))
    }

    fn settle<'a>(&'a self, holder: &'a str, settlements: &'a [Settlement], until: Timestamp) -> Work<'a, Vec<bool>> {
        self.unless_away(self.inner.settle(holder, settlements, until))
    }

    fn expire(&self, at: Timestamp) -> Work<'_, u64> {
        self.unless_away(self.inner.expire(at))
    }

    fn wanted<'a>(&'a self, holder: &'a str) -> Work<'a, Vec<i64>> {
        self.unless_away(self.inner.wanted(holder))
    }

    fn spent(&self, at: Timestamp) -> Work<'_, Vec<(BudgetKey, u64)>> {
        self.unless_away(self.inner.spent(at))
    }
}
