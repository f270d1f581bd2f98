//! Budgets and rates: what a request may spend is set aside before the decision, and settled after the reply.
//!
//! Setting aside and counting are one step, so that any number of requests at once see each other. Whether a request
//! fits is not said here: what was spent before it is a fact of the decision.

mod account;
mod amounts;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cedargate::model::{Counter, Timestamp};
use cedargate_http::facts::Counters;
use cedargate_tokens::{Allowance, AllowanceKind, BudgetKey, Owner, Recorder, Unit, Window};

use account::{Account, Held};
pub(crate) use amounts::{Amounts, Kind, cost_nanos};

/// Parts of the map of accounts, so that requests of different tokens hardly ever meet.
const SHARDS: usize = 64;

/// Accounts that are kept in each part before those that hold nothing are looked for and dropped.
const SHARD_ACCOUNTS: usize = 4_096;

/// What one kind of counter is kept under. Its window moves on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AccountKey {
    owner: Owner,
    unit: Unit,
    window: Window,
}

type Shard = Mutex<HashMap<AccountKey, Arc<Mutex<Account>>>>;

/// The accounts of all tokens and teams.
pub(crate) struct Budgets {
    shards: Box<[Shard]>,
    hasher: RandomState,
    recorder: Recorder,
    /// How long something stays set aside at most: longer than any request lasts.
    expire_after: Duration,
}

/// Who spends, and what it may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spender<'a> {
    pub(crate) id: &'a Arc<str>,
    pub(crate) allowances: &'a [Allowance],
}

impl Budgets {
    /// Accounts that hold what was spent before.
    pub(crate) fn new(spent: Vec<(BudgetKey, u64)>, recorder: Recorder, expire_after: Duration) -> Self {
        let budgets = Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            recorder,
            expire_after,
        };
        for (BudgetKey { owner, unit, window, start }, amount) in spent {
            let account = budgets.account(AccountKey { owner, unit, window }, start);
            lock(&account).restore(start, amount);
        }
        budgets
    }

    fn account(&self, key: AccountKey, at: Timestamp) -> Arc<Mutex<Account>> {
        let place = usize::try_from(self.hasher.hash_one(&key)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(place) else { return Arc::default() };
        let mut accounts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= SHARD_ACCOUNTS && !accounts.contains_key(&key) {
            accounts
                .retain(|key, account| Arc::strong_count(account) > 1 || !lock(account).is_over(key.window.start(at)));
        }
        Arc::clone(accounts.entry(key).or_default())
    }

    /// Sets aside what a request may spend, and says what was spent before it.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        at: Timestamp,
        token: Option<Spender<'_>>,
        team: Option<Spender<'_>>,
        amounts: impl FnOnce() -> Amounts,
    ) -> Reservation {
        let is_free = |spender: &Option<Spender<'_>>| spender.is_none_or(|spender| spender.allowances.is_empty());
        if is_free(&token) && is_free(&team) {
            return Reservation { inner: None };
        }
        let amounts = amounts();
        let mut reservation = Reserved { counters: Counters::default(), held: Vec::new(), budgets: Arc::clone(self) };
        let owners = [(token, Owner::Token as fn(Arc<str>) -> Owner), (team, Owner::Team)];
        for (n, (spender, owner)) in owners.into_iter().enumerate() {
            let Some(Spender { id, allowances }) = spender else { continue };
            for allowance in allowances {
                let Some(requested) = amounts.of(allowance.unit, allowance.kind()) else { continue };
                let Allowance { unit, window, .. } = *allowance;
                let key = AccountKey { owner: owner(Arc::clone(id)), unit, window };
                let account = self.account(key.clone(), at);
                let start = window.start(at);
                let (spent, hold) = lock(&account).reserve(start, at, requested, self.expire_after);
                let counter = counter(allowance, spent, requested, at);
                note(&mut reservation.counters, n == 1, allowance.kind(), counter);
                let budget = BudgetKey { owner: key.owner, unit, window, start };
                reservation.held.push(Held { account, hold, budget, kind: allowance.kind() });
            }
        }
        Reservation { inner: Some(Box::new(reservation)) }
    }
}

fn lock(account: &Mutex<Account>) -> std::sync::MutexGuard<'_, Account> {
    // INVARIANT: no change of an account stops half-way, so what a thread that panicked left is sound.
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

fn counter(allowance: &Allowance, spent: u64, requested: u64, at: Timestamp) -> Counter {
    /// The contract's counters end here; whatever is more is as exhausted.
    const MOST: u64 = 1 << 53;
    let counter = Counter::new(allowance.limit.min(MOST), spent.min(MOST), requested.min(MOST));
    match allowance.window.end(at) {
        Some(end) => counter.resets_at(end),
        None => counter,
    }
}

/// Notes a counter: of each kind the one with the least left is a fact of the decision.
fn note(counters: &mut Counters, is_team: bool, kind: AllowanceKind, counter: Counter) {
    let place = match (is_team, kind) {
        (false, AllowanceKind::Budget) => &mut counters.budget,
        (true, AllowanceKind::Budget) => &mut counters.team_budget,
        (false, AllowanceKind::Rate) => &mut counters.rate,
        (true, AllowanceKind::Rate) => &mut counters.team_rate,
    };
    if place.as_ref().is_none_or(|other| leaves_less(&counter, other)) {
        *place = Some(counter);
    }
}

/// Whether a counter leaves less than another. Of two that are exhausted it is the one that stays so for longer; of
/// two that are not, in whatever units, the one with the smaller part of its limit left.
fn leaves_less(counter: &Counter, other: &Counter) -> bool {
    let forever = Timestamp::from_millis(i64::MAX);
    match (counter.is_exhausted(), other.is_exhausted()) {
        (true, true) => counter.resets_at.unwrap_or(forever) > other.resets_at.unwrap_or(forever),
        (true, false) => true,
        (false, true) => false,
        (false, false) => {
            let left = |counter: &Counter| u128::from(counter.limit - counter.spent - counter.requested);
            left(counter) * u128::from(other.limit) < left(other) * u128::from(counter.limit)
        }
    }
}

/// Something that is set aside. Dropped without being settled, it is released.
#[must_use]
pub(crate) struct Reservation {
    /// Nothing where nobody counts.
    inner: Option<Box<Reserved>>,
}

struct Reserved {
    counters: Counters,
    held: Vec<Held>,
    budgets: Arc<Budgets>,
}

impl Reservation {
    /// The facts for the decision, where there are any.
    pub(crate) fn counters(&self) -> Option<&Counters> {
        self.inner.as_ref().map(|inner| &inner.counters)
    }

    /// Whether tokens or money are counted, so that what the provider used matters.
    pub(crate) fn counts_usage(&self) -> bool {
        let mut held = self.inner.iter().flat_map(|inner| &inner.held);
        held.any(|held| matches!(held.budget.unit, Unit::Tokens | Unit::Money))
    }

    /// What was set aside is spent: this much of it.
    pub(crate) fn settle(self, amounts: Amounts) {
        let Some(mut inner) = self.inner else { return };
        for Held { account, hold, budget, kind } in inner.held.drain(..) {
            let actual = amounts.of(budget.unit, kind).unwrap_or(0);
            lock(&account).settle(budget.start, hold, actual);
            inner.budgets.recorder.spend(budget, actual);
        }
    }

    /// What was set aside is spent whole: nobody said how much of it was used.
    pub(crate) fn settle_whole(self) {
        let Some(mut inner) = self.inner else { return };
        for Held { account, hold, budget, .. } in inner.held.drain(..) {
            let amount = hold.amount;
            lock(&account).settle(budget.start, hold, amount);
            inner.budgets.recorder.spend(budget, amount);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        for Held { account, hold, budget, .. } in self.held.drain(..) {
            lock(&account).settle(budget.start, hold, 0);
        }
    }
}
