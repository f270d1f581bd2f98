//! What was spent and what is set aside in one window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cedargate::model::Timestamp;
use cedargate_tokens::{AllowanceKind, BudgetKey};

/// One count in the window that goes on.
#[derive(Debug, Default)]
pub(super) struct Account {
    start: Option<Timestamp>,
    spent: u64,
    /// What is set aside, by number: the oldest first.
    holds: BTreeMap<u64, Aside>,
    aside: u64,
    next: u64,
}

#[derive(Debug)]
struct Aside {
    amount: u64,
    until: Timestamp,
}

/// Something that was set aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    number: u64,
    pub(super) amount: u64,
}

/// Something that was set aside, and where.
pub(super) struct Held {
    pub(super) account: Arc<Mutex<Account>>,
    pub(super) hold: Hold,
    pub(super) budget: BudgetKey,
    pub(super) kind: AllowanceKind,
}

impl Account {
    /// Takes over what was spent before this process.
    pub(super) fn restore(&mut self, start: Timestamp, amount: u64) {
        self.enter(start);
        self.spent = self.spent.saturating_add(amount);
    }

    /// Whether it holds nothing of this window.
    pub(super) fn is_over(&self, start: Timestamp) -> bool {
        self.holds.is_empty() && self.start.is_none_or(|started| started < start)
    }

    /// Moves on to another window, where nothing is spent yet. What is still set aside belongs to the one before.
    fn enter(&mut self, start: Timestamp) {
        if self.start.is_none_or(|started| started < start) {
            self.start = Some(start);
            self.spent = 0;
            self.aside = 0;
            self.holds.clear();
        }
    }

    /// Sets an amount aside, and says what was spent or set aside before it.
    pub(super) fn reserve(&mut self, start: Timestamp, at: Timestamp, amount: u64, keep: Duration) -> (u64, Hold) {
        self.enter(start);
        self.expire(at);
        let before = self.spent.saturating_add(self.aside);
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.aside = self.aside.saturating_add(amount);
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp::from_millis(at.as_millis().saturating_add(keep_ms));
        self.holds.insert(number, Aside { amount, until });
        (before, Hold { number, amount })
    }

    /// Releases what was set aside for too long: whoever did it will not come back.
    fn expire(&mut self, at: Timestamp) {
        while let Some(entry) = self.holds.first_entry()
            && entry.get().until <= at
        {
            let expired = entry.remove();
            self.aside = self.aside.saturating_sub(expired.amount);
        }
    }

    /// Spends this much in place of what was set aside.
    pub(super) fn settle(&mut self, start: Timestamp, hold: Hold, actual: u64) {
        if self.start != Some(start) {
            return;
        }
        if let Some(Aside { amount, .. }) = self.holds.remove(&hold.number) {
            self.aside = self.aside.saturating_sub(amount);
        }
        self.spent = self.spent.saturating_add(actual);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn what_is_set_aside_counts_until_it_is_settled() {
        let mut account = Account::default();
        let (before, first) = account.reserve(at(0), at(1), 50, KEEP);
        assert_eq!(before, 0);
        let (before, second) = account.reserve(at(0), at(1), 30, KEEP);
        assert_eq!(before, 50);
        account.settle(at(0), first, 20);
        account.settle(at(0), second, 0);
        assert_eq!(account.reserve(at(0), at(2), 1, KEEP).0, 20);
    }

    #[test]
    fn what_nobody_settles_expires_and_is_still_spent_when_somebody_does() {
        let mut account = Account::default();
        let (_, lost) = account.reserve(at(0), at(1), 50, KEEP);
        assert_eq!(account.reserve(at(0), at(10), 0, KEEP).0, 50);
        assert_eq!(account.reserve(at(0), at(11), 0, KEEP).0, 0);
        account.settle(at(0), lost, 7);
        assert_eq!(account.reserve(at(0), at(12), 0, KEEP).0, 7);
    }

    #[test]
    fn another_window_begins_with_nothing() {
        let mut account = Account::default();
        let (_, old) = account.reserve(at(0), at(59), 50, KEEP);
        assert_eq!(account.reserve(at(60), at(60), 1, KEEP).0, 0);
        account.settle(at(0), old, 50);
        assert_eq!(account.reserve(at(60), at(61), 1, KEEP).0, 1, "the old window's request is not of this one");
        account.restore(at(60), 5);
        assert_eq!(account.reserve(at(60), at(61), 1, KEEP).0, 7);
    }
}
