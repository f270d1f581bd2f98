//! Budgets as a process spends them: from leases, so that hardly any request waits for the store.
//!
//! The truth of a budget is in the store. A process leases a part of it there and reserves from the lease in memory.
//! Where the lease does not suffice, the store is asked for more; near the limit it grants no more than what is needed.
//! What is spent is settled once a second. A lease that is not used any more is given back within a second, and within a
//! tenth of one where another process needs it. So at every moment what all processes spent and may still spend is
//! within the limit.
//!
//! A process that is killed takes along what it had leased: what was in flight, and at most a 32nd part of what was
//! left when it leased ahead. That counts as spent for the rest of its window, since nobody can say how much of it was.

mod account;
mod keeper;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::record::BudgetKey;
use crate::store::{Store, StoreError};
use account::Account;
use keeper::{Asked, Keeper, Message};

/// Parts of the map of accounts, so that requests of different tokens hardly ever meet.
const SHARDS: usize = 64;

/// Requests that may wait for the store at once: beyond it they wait for their turn to ask.
const WAITING_MAX: usize = 1_024;

/// How long the store may take to grant something. Longer than one process keeps another waiting.
const ASK_PATIENCE: Duration = Duration::from_secs(6);

/// The budgets of a store, as this process spends them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    accounts: Arc<Accounts>,
    keeper: mpsc::Sender<Message>,
}

/// Nothing can be reserved now, since the store cannot be written. The log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("budgets cannot be reserved: the token store cannot be written")]
pub struct NotReserved;

impl Ledger {
    /// Begins with nothing leased. Needs a Tokio runtime, and ends when the last clone is dropped.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, clock: Arc<Clock>) -> Self {
        let accounts = Arc::new(Accounts::default());
        let (keeper, messages) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Keeper::new(store, clock, Arc::clone(&accounts)).run(messages));
        Self { accounts, keeper }
    }

    /// Reserves an amount, or finds that it does not fit into the limit: [`Hold::is_reserved`] tells. Mostly there is
    /// enough in this process's lease, and nothing is waited for.
    ///
    /// # Errors
    ///
    /// [`NotReserved`] where nobody can say whether it fits.
    pub async fn reserve(&self, key: BudgetKey, limit: u64, amount: u64) -> Result<Hold, NotReserved> {
        let account = self.accounts.get(&key);
        if let Some(hold) = Hold::take(&account, limit, amount) {
            return Ok(hold);
        }
        let (reply, granted) = oneshot::channel();
        let asked = Asked { account, limit, amount, until: None, reply };
        let answered = timeout(ASK_PATIENCE, async {
            self.keeper.send(Message::Ask(asked)).await.map_err(|_| NotReserved)?;
            granted.await.map_err(|_| NotReserved)?
        });
        answered.await.map_err(|_| NotReserved)?
    }

    /// Settles everything that was spent before this call, and gives back what is not in use. What a shutdown ends with.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be written now. It is tried again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let ended = || StoreError::Failed("the keeper of budgets has ended".to_owned());
        let (reply, settled) = oneshot::channel();
        self.keeper.send(Message::Flush(reply)).await.map_err(|_| ended())?;
        settled.await.map_err(|_| ended())?
    }
}

/// What was reserved for a request. Dropped without being settled, it is given back.
#[derive(Debug)]
#[must_use]
pub struct Hold {
    account: Shared,
    lease: i64,
    limit: u64,
    /// What is left to be settled: nothing where nothing was reserved.
    reserved: u64,
    requested: u64,
    fits: bool,
    before: u64,
}

impl Hold {
    /// Takes from what is leased.
    fn take(account: &Shared, limit: u64, amount: u64) -> Option<Self> {
        let (fits, before, lease) = {
            let mut account = lock(account);
            match account.take(limit, amount) {
                Some(before) => (true, before, account.lease()),
                None => (false, account.refused_before(limit, amount)?, 0),
            }
        };
        let reserved = if fits { amount } else { 0 };
        Some(Self { account: Arc::clone(account), lease, limit, reserved, requested: amount, fits, before })
    }

    /// What does not fit.
    fn refused(account: &Shared, limit: u64, requested: u64, before: u64) -> Self {
        Self { account: Arc::clone(account), lease: 0, limit, reserved: 0, requested, fits: false, before }
    }

    /// Whether it was reserved.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.fits
    }

    /// What was asked for.
    #[must_use]
    pub fn requested(&self) -> u64 {
        self.requested
    }

    /// What was spent and reserved before, by whomever. With it the amount is within the limit exactly where it was
    /// reserved.
    #[must_use]
    pub fn spent_before(&self) -> u64 {
        self.before
    }

    /// So much was spent, whatever was reserved.
    pub fn settle(mut self, spent: u64) {
        let reserved = std::mem::take(&mut self.reserved);
        lock(&self.account).settle((self.lease, self.limit), reserved, spent);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.reserved > 0 {
            lock(&self.account).settle((self.lease, self.limit), self.reserved, 0);
        }
    }
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    // INVARIANT: no change of an account stops half-way, so what a thread that panicked left is sound.
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An account that the keeper, the map and holds share.
type Shared = Arc<Mutex<Account>>;

/// A part of the map of accounts.
type Shard = HashMap<BudgetKey, Shared>;

/// The accounts of budgets that are in use.
#[derive(Debug)]
struct Accounts {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Accounts {
    fn get(&self, key: &BudgetKey) -> Shared {
        let place = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(place) else { return Arc::new(Mutex::new(Account::new(key.clone()))) };
        let mut accounts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(key) {
            return Arc::clone(account);
        }
        let account = Arc::new(Mutex::new(Account::new(key.clone())));
        accounts.insert(key.clone(), Arc::clone(&account));
        account
    }

    /// Shows every account, and forgets those that hold nothing and that nobody uses.
    fn visit(&self, mut visit: impl FnMut(&Shared)) {
        for shard in &self.shards {
            let mut accounts = shard.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.retain(|_, account| {
                visit(account);
                // Whoever takes one from the map does so under the lock of the shard.
                Arc::strong_count(account) > 1 || !lock(account).is_blank()
            });
        }
    }
}
