//! Budgets and rates: what a request may spend is reserved before the decision, and settled after the reply.
//!
//! Whether a request fits is not said here: what was spent before it is a fact of the decision, and it is such that the
//! request is within the limit exactly where something was reserved for it.

mod amounts;

use std::sync::Arc;

use cedargate::model::{Counter, Timestamp};
use cedargate_http::facts::Counters;
use cedargate_http::reply::{Refusal, Unavailable};
use cedargate_tokens::{Allowance, AllowanceKind, BudgetKey, Hold, Ledger, Owner, Unit};

pub(crate) use amounts::{Amounts, Kind, cost_nanos};

/// Who spends, and what it may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spender<'a> {
    pub(crate) id: &'a Arc<str>,
    pub(crate) allowances: &'a [Allowance],
}

/// Reserves what a request may spend, and says what was spent before it.
///
/// Refused is a request of which nobody can say whether it fits.
pub(crate) async fn reserve(
    ledger: &Ledger,
    at: Timestamp,
    token: Option<Spender<'_>>,
    team: Option<Spender<'_>>,
    amounts: impl FnOnce() -> Amounts,
) -> Result<Reservation, Refusal> {
    let is_free = |spender: &Option<Spender<'_>>| spender.is_none_or(|spender| spender.allowances.is_empty());
    if is_free(&token) && is_free(&team) {
        return Ok(Reservation { inner: None });
    }
    let amounts = amounts();
    let mut reserved = Reserved { counters: Counters::default(), held: Vec::new() };
    let owners = [(token, Owner::Token as fn(Arc<str>) -> Owner), (team, Owner::Team)];
    for (n, (spender, owner)) in owners.into_iter().enumerate() {
        let Some(Spender { id, allowances }) = spender else { continue };
        for allowance in allowances {
            let Allowance { limit, unit, window } = *allowance;
            let kind = allowance.kind();
            let Some(requested) = amounts.of(unit, kind) else { continue };
            let key = BudgetKey::at(owner(Arc::clone(id)), unit, window, at);
            let hold = ledger.reserve(key, limit, requested).await;
            let hold = hold.map_err(|_| Refusal::Unavailable(Unavailable::TokenStore))?;
            let counter = counter(allowance, hold.spent_before(), requested, at);
            note(&mut reserved.counters, n == 1, kind, counter);
            reserved.held.push(Held { hold, unit, kind });
        }
    }
    Ok(Reservation { inner: Some(Box::new(reserved)) })
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

/// Something that is reserved. Dropped without being settled, it is given back.
#[must_use]
pub(crate) struct Reservation {
    /// Nothing where nobody counts.
    inner: Option<Box<Reserved>>,
}

struct Reserved {
    counters: Counters,
    held: Vec<Held>,
}

struct Held {
    hold: Hold,
    unit: Unit,
    kind: AllowanceKind,
}

impl Reservation {
    /// The facts for the decision, where there are any.
    pub(crate) fn counters(&self) -> Option<&Counters> {
        self.inner.as_ref().map(|inner| &inner.counters)
    }

    /// Whether tokens or money are counted, so that what the provider used matters.
    pub(crate) fn counts_usage(&self) -> bool {
        let mut held = self.inner.iter().flat_map(|inner| &inner.held);
        held.any(|held| matches!(held.unit, Unit::Tokens | Unit::Money))
    }

    /// This much of what was reserved is spent.
    pub(crate) fn settle(self, amounts: Amounts) {
        for Held { hold, unit, kind } in self.inner.into_iter().flat_map(|inner| inner.held) {
            hold.settle(amounts.of(unit, kind).unwrap_or(0));
        }
    }

    /// What was reserved is spent whole: nobody said how much of it was used.
    pub(crate) fn settle_whole(self) {
        for Held { hold, .. } in self.inner.into_iter().flat_map(|inner| inner.held) {
            let requested = hold.requested();
            hold.settle(requested);
        }
    }
}
