//! Budgets in the store: what is spent, and what is reserved to be spent.

use cedargate::model::Timestamp;

use super::Work;
use crate::record::BudgetKey;

/// A holder gets a part of this size of what is left beyond what it needs at once, so that most of its requests need no
/// store. It bounds what the death of a holder can cost.
const AHEAD_PART: u64 = 32;

/// Keeps what is spent of budgets, and what is reserved of them.
///
/// A holder, such as the process of a gateway, reserves amounts, spends of them as it likes, and settles. At every moment
/// what is spent and what is reserved together are within the limit, whoever asks for whatever at the same time. What
/// is reserved and not settled until its time has passed counts as spent: nobody can say how much of it was.
///
/// Each method is one step: done whole and durable when it returns, or not at all.
pub trait BudgetStore: Send + Sync + 'static {
    /// Reserves amounts for a holder until a moment, each by itself, and says what came of each, in order. What it has
    /// reserved of the same budget before is prolonged.
    ///
    /// What has expired at `at` is counted as spent first.
    fn reserve<'a>(
        &'a self,
        holder: &'a str,
        asks: &'a [Ask],
        at: Timestamp,
        until: Timestamp,
    ) -> Work<'a, Vec<Granted>>;

    /// Settles what a holder had reserved, and prolongs the rest. Says of each, in order, whether it was still reserved: of what
    /// has expired, what it covered was counted as spent already, and only the rest is added.
    fn settle<'a>(&'a self, holder: &'a str, settlements: &'a [Settlement], until: Timestamp) -> Work<'a, Vec<bool>>;

    /// Counts as spent what nobody settled in time, and says how many leases that were.
    fn expire(&self, at: Timestamp) -> Work<'_, u64>;

    /// Leases of a holder of which others want what is not used.
    fn wanted<'a>(&'a self, holder: &'a str) -> Work<'a, Vec<i64>>;

    /// What was spent in windows that have not ended at this time. What is reserved is not.
    fn spent(&self, at: Timestamp) -> Work<'_, Vec<(BudgetKey, u64)>>;
}

/// What a holder wants to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of what.
    pub key: BudgetKey,
    /// The limit of the window, as it is now.
    pub limit: u64,
    /// Less than this is of no use.
    pub least: u64,
    /// As much is needed now.
    pub all: u64,
}

impl Ask {
    /// How much is granted where so much is spent and reserved: what is needed and a part of the rest, as far as there
    /// is any; nothing where that is of no use. Near the limit there is nothing beyond the need.
    #[must_use]
    pub fn grant(&self, taken: u64) -> u64 {
        let left = self.limit.saturating_sub(taken);
        if left < self.least {
            return 0;
        }
        let needed = self.all.max(self.least).min(left);
        needed.saturating_add(left.saturating_sub(needed) / AHEAD_PART)
    }
}

/// What came of an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// What was reserved; zero where not even the least is left.
    pub amount: u64,
    /// Where it was reserved; the same for all that a holder has of one budget. Meaningless where nothing was.
    pub lease: i64,
    /// What was spent and reserved before, by whomever.
    pub taken: u64,
    /// What others have reserved of it and may not use: they were asked to give it back where nothing was granted.
    pub elsewhere: u64,
}

/// What became of a part of what was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What was spent.
    pub key: BudgetKey,
    /// Where it was reserved; nothing where it was spent without.
    pub lease: Option<i64>,
    /// So much was spent.
    pub spent: u64,
    /// So much of it was reserved.
    pub covered: u64,
    /// So much was reserved and is given back.
    pub returned: u64,
    /// Nothing else that is reserved lies idle.
    pub is_all: bool,
}
