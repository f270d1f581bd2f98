//! One budget in one window: what this process leased of it, and what became of that.

use std::time::{Duration, Instant};

use cedargate::model::Timestamp;

use crate::record::BudgetKey;
use crate::store::{Granted, Settlement};

/// For how long what did not fit does not fit. A client that goes on asking costs the store ten questions a second.
const REFUSED_FOR: Duration = Duration::from_millis(100);

/// The same where another process was asked for what it does not use, and gave nothing: it is stopped or gone.
const REFUSED_IN_VAIN_FOR: Duration = Duration::from_secs(1);

/// Between two times at which a lease is prolonged that nothing else prolongs: a third of
/// [`LEASE_LIFE`](super::keeper::LEASE_LIFE).
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// What is leased is free, set aside, spent and not settled yet, or to be given back.
///
/// INVARIANT: the store holds a lease of `free + aside + covered + returning`, or it has expired and counts as spent.
#[derive(Debug)]
pub(super) struct Account {
    key: BudgetKey,
    /// The limit that the lease is within.
    limit: u64,
    /// The lease; zero where there is none.
    lease: i64,
    free: u64,
    aside: u64,
    /// What was spent since it was last settled, and how much of it the lease covers.
    spent: u64,
    covered: u64,
    /// What was leased within another limit than the present one, or could not be given back before.
    returning: u64,
    /// What was spent and reserved beside the lease, as the store last said.
    outside: u64,
    /// Whether anything was taken since somebody last looked.
    is_used: bool,
    renewed: Instant,
    refused: Option<Refused>,
}

/// What did not fit, and when.
#[derive(Debug)]
struct Refused {
    until: Instant,
    limit: u64,
    amount: u64,
}

impl Account {
    pub(super) fn new(key: BudgetKey) -> Self {
        Self {
            key,
            limit: 0,
            lease: 0,
            free: 0,
            aside: 0,
            spent: 0,
            covered: 0,
            returning: 0,
            outside: 0,
            is_used: false,
            renewed: Instant::now(),
            refused: None,
        }
    }

    pub(super) fn key(&self) -> &BudgetKey {
        &self.key
    }

    pub(super) fn lease(&self) -> i64 {
        self.lease
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn free(&self) -> u64 {
        self.free
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_blank(&self) -> bool {
        self.lease == 0 && self.spent == 0 && self.refused.is_none()
    }

    /// Sets an amount aside where it is free, and says what was spent or reserved before it. Who wants nothing takes
    /// nothing, and always gets it.
    pub(super) fn take(&mut self, limit: u64, amount: u64) -> Option<u64> {
        if amount > 0 && (limit != self.limit || amount > self.free) {
            return None;
        }
        let before = self.outside.saturating_add(self.spent).saturating_add(self.aside);
        self.free = self.free.saturating_sub(amount);
        self.aside = self.aside.saturating_add(amount);
        self.is_used = true;
        // What others took since the store was last asked is not known, and is not this one's business: it fits.
        Some(before.min(limit.saturating_sub(amount)))
    }

    /// What was spent or reserved before an amount that did not fit a moment ago, and so does not now.
    pub(super) fn refused_before(&self, limit: u64, amount: u64) -> Option<u64> {
        let refused = self.refused.as_ref()?;
        let holds = refused.limit == limit && refused.amount <= amount && Instant::now() < refused.until;
        holds.then(|| least_before(limit, amount))
    }

    /// Notes that an amount does not fit, where the store says that so much is taken; `in_vain`, others were asked for
    /// it. Says what was spent or reserved before it.
    pub(super) fn refuse(&mut self, limit: u64, amount: u64, taken: u64, in_vain: bool) -> u64 {
        let now = Instant::now();
        let hold_on = if in_vain { REFUSED_IN_VAIN_FOR } else { REFUSED_FOR };
        self.refused = Some(Refused { until: now.checked_add(hold_on).unwrap_or(now), limit, amount });
        // What is leased and free is nobody's yet.
        taken.saturating_sub(self.free).max(least_before(limit, amount))
    }

    /// Forgets a refusal that holds no more.
    pub(super) fn forget_refusal(&mut self) {
        if self.refused.as_ref().is_some_and(|refused| refused.until <= Instant::now()) {
            self.refused = None;
        }
    }

    /// Takes over what the store granted within this limit.
    pub(super) fn grant(&mut self, limit: u64, grant: &Granted) {
        if grant.lease != self.lease {
            self.lose();
            self.lease = grant.lease;
        }
        self.within(limit);
        let own = [self.free, self.aside, self.covered, self.returning].into_iter().fold(0, u64::saturating_add);
        self.outside = grant.taken.saturating_sub(own);
        self.free = self.free.saturating_add(grant.amount);
        self.renewed = Instant::now();
        self.refused = None;
    }

    /// From now on this is the limit. What was leased within another may be more than this one allows, and is not
    /// given to anybody again.
    pub(super) fn within(&mut self, limit: u64) {
        if self.limit != limit {
            self.returning = self.returning.saturating_add(std::mem::take(&mut self.free));
            self.limit = limit;
        }
    }

    /// The lease has expired: all of it counts as spent.
    fn lose(&mut self) {
        self.spent = self.spent.saturating_sub(self.covered);
        self.lease = 0;
        self.free = 0;
        self.aside = 0;
        self.covered = 0;
        self.returning = 0;
    }

    /// So much was spent in place of what was set aside from a lease within a limit.
    pub(super) fn settle(&mut self, (lease, limit): (i64, u64), reserved: u64, spent: u64) {
        let within = spent.min(reserved);
        let beyond = spent.saturating_sub(within);
        if reserved > 0 && lease != self.lease {
            // It counted as spent when its lease expired.
            self.spent = self.spent.saturating_add(beyond);
            return;
        }
        self.aside = self.aside.saturating_sub(reserved);
        let place = if limit == self.limit { &mut self.free } else { &mut self.returning };
        let left = reserved.saturating_sub(within);
        *place = place.saturating_add(left);
        if left > 0 {
            // There is more than there was, so that what did not fit may fit now.
            self.refused = None;
        }
        let found = beyond.min(self.free);
        self.free = self.free.saturating_sub(found);
        self.spent = self.spent.saturating_add(spent);
        self.covered = self.covered.saturating_add(within).saturating_add(found);
    }

    /// What there is to settle. What is free is given back where the window has ended, where nobody used it since this
    /// was last asked, or where `give_back` says so.
    pub(super) fn settlement(&mut self, at: Timestamp, give_back: bool) -> Option<Settlement> {
        let is_used = std::mem::take(&mut self.is_used);
        let has_ended = self.key.window.end(self.key.start).is_some_and(|end| end <= at);
        let returns = give_back || has_ended || !is_used;
        let free = if returns { std::mem::take(&mut self.free) } else { 0 };
        let returned = free.saturating_add(std::mem::take(&mut self.returning));
        let (spent, covered) = (std::mem::take(&mut self.spent), std::mem::take(&mut self.covered));
        let renews = self.lease != 0 && self.renewed.elapsed() >= RENEW_EVERY;
        if spent == 0 && covered == 0 && returned == 0 && !renews && !(give_back && self.lease != 0) {
            return None;
        }
        let lease = (self.lease != 0).then_some(self.lease);
        Some(Settlement { key: self.key.clone(), lease, spent, covered, returned, is_all: returns })
    }

    /// The store took over what was to be settled; `held` says whether the lease was still there.
    pub(super) fn settled(&mut self, settlement: &Settlement, held: bool) {
        self.outside = self.outside.saturating_add(settlement.spent);
        self.renewed = Instant::now();
        if settlement.lease != Some(self.lease) {
            return;
        }
        if !held {
            self.lose();
        } else if [self.free, self.aside, self.covered, self.returning] == [0; 4] {
            // The store forgets an empty lease.
            self.lease = 0;
        }
    }

    /// The store could not take it over: it is to be settled later.
    pub(super) fn unsettled(&mut self, settlement: &Settlement) {
        let Settlement { lease, spent, covered, returned, .. } = settlement;
        self.spent = self.spent.saturating_add(*spent);
        if lease.is_none() || *lease == Some(self.lease) {
            self.covered = self.covered.saturating_add(*covered);
            self.returning = self.returning.saturating_add(*returned);
        }
    }
}

/// The least that must have been spent for an amount not to fit.
fn least_before(limit: u64, amount: u64) -> u64 {
    limit.saturating_add(1).saturating_sub(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Owner;
    use crate::token::{Unit, Window};

    const LIMIT: u64 = 100;

    fn noon() -> Timestamp {
        "2026-04-23T12:00:00Z".parse().unwrap()
    }

    fn account(lease: i64, amount: u64) -> Account {
        let mut account = Account::new(BudgetKey::at(Owner::Token("tok_a".into()), Unit::Tokens, Window::Day, noon()));
        account.grant(LIMIT, &Granted { amount, lease, taken: 0, elsewhere: 0 });
        account
    }

    /// What is leased in all.
    fn leased(account: &Account) -> u64 {
        account.free + account.aside + account.covered + account.returning
    }

    #[test]
    fn whatever_becomes_of_it_the_lease_is_accounted_for() {
        let mut account = account(1, 50);
        assert_eq!(
            (account.take(LIMIT, 20), account.take(LIMIT, 20), account.take(LIMIT, 20)),
            (Some(0), Some(20), None)
        );
        assert_eq!(leased(&account), 50);
        account.settle((1, LIMIT), 20, 5);
        account.settle((1, LIMIT), 20, 30);
        assert_eq!((leased(&account), account.spent, account.free), (50, 35, 15), "5, and 10 beyond what was reserved");
        // The store cannot be written: nothing is forgotten, and nothing is spent meanwhile that was given back.
        let settlement = account.settlement(noon(), true).unwrap();
        assert_eq!((settlement.spent, settlement.covered, settlement.returned), (35, 35, 15));
        account.unsettled(&settlement);
        assert_eq!((leased(&account), account.spent, account.take(LIMIT, 1)), (50, 35, None));
        let settlement = account.settlement(noon(), false).unwrap();
        account.settled(&settlement, true);
        assert_eq!((leased(&account), account.lease(), account.is_blank()), (0, 0, true));
    }

    #[test]
    fn what_expired_counted_as_spent_and_is_not_counted_again() {
        let mut account = account(1, 50);
        assert_eq!((account.take(LIMIT, 20), account.take(LIMIT, 10)), (Some(0), Some(20)));
        account.settle((1, LIMIT), 20, 20);
        let settlement = account.settlement(noon(), false).unwrap();
        account.settled(&settlement, false);
        assert_eq!((leased(&account), account.spent), (0, 0));
        // In another lease, what is in flight from the old one is neither spent nor given back.
        account.grant(LIMIT, &Granted { amount: 30, lease: 2, taken: 50, elsewhere: 0 });
        account.settle((1, LIMIT), 10, 10);
        assert_eq!((leased(&account), account.spent, account.free), (30, 0, 30));
        assert_eq!(account.take(LIMIT, 30), Some(50));
        // But for what went beyond it.
        account.settle((1, LIMIT), 10, 14);
        assert_eq!(account.spent, 4);
    }

    #[test]
    fn what_was_leased_within_another_limit_is_given_back() {
        let mut account = account(1, 50);
        assert_eq!(account.take(LIMIT, 20), Some(0));
        account.within(40);
        assert_eq!(account.take(40, 1), None);
        account.settle((1, LIMIT), 20, 8);
        assert_eq!((account.take(40, 1), leased(&account)), (None, 50));
        let settlement = account.settlement(noon(), false).unwrap();
        assert_eq!((settlement.covered, settlement.returned), (8, 42));
    }
}
