//! The one task of a process that talks to the store about budgets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedargate::model::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Accounts, Hold, NotReserved, Shared, WAITING_MAX, lock};
use crate::clock::Clock;
use crate::record::BudgetKey;
use crate::store::{Ask, Granted, Settlement, Store, StoreError};

/// How long a lease lasts that nobody prolongs: a process that is stopped or kept from its store for so long has lost
/// what it leased.
pub(super) const LEASE_LIFE: Duration = Duration::from_secs(60);

/// How often what was spent is settled, and what is not used is given back.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// How often a process looks whether another wants what it leased.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often is asked again for what another process was asked to give back, and for how long: several times as long
/// as it takes a process that lives to give it.
const ASK_AGAIN_EVERY: Duration = Duration::from_millis(50);
const RECALL_PATIENCE: Duration = Duration::from_millis(500);

/// How often expired leases of others are counted as spent, where nobody asks for the same store.
const EXPIRE_EVERY: Duration = Duration::from_secs(30);

/// Settlements of one step.
const STEP: usize = 1_000;

/// What a keeper is told.
#[derive(Debug)]
pub(super) enum Message {
    Ask(Asked),
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

/// Somebody who waits for an amount.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) account: Shared,
    pub(super) limit: u64,
    pub(super) amount: u64,
    /// How long it may wait for what another process was asked to give back.
    pub(super) until: Option<Instant>,
    pub(super) reply: oneshot::Sender<Result<Hold, NotReserved>>,
}

impl Asked {
    /// Answers where there is an answer without the store, or nobody waits for one.
    fn answered(self) -> Option<Self> {
        if self.reply.is_closed() {
            return None;
        }
        match Hold::take(&self.account, self.limit, self.amount) {
            // Whoever asked may have gone away: what comes back is given back.
            Some(hold) => {
                drop(self.reply.send(Ok(hold)));
                None
            }
            None => Some(self),
        }
    }
}

/// Those who want of one budget within one limit.
struct Group {
    account: Shared,
    ask: Ask,
    asked: Vec<Asked>,
}

pub(super) struct Keeper {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    accounts: Arc<Accounts>,
    holder: String,
    /// Those for whom another process was asked to give something back.
    recalled: Vec<Asked>,
    /// Whether anything is leased that another process may want.
    is_holding: bool,
    is_failing: bool,
}

impl Keeper {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<Clock>, accounts: Arc<Accounts>) -> Self {
        let holder = holder();
        Self { store, clock, accounts, holder, recalled: Vec::new(), is_holding: false, is_failing: false }
    }

    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let (mut settle, mut look) = (ticks(SETTLE_EVERY), ticks(LOOK_EVERY));
        let (mut again, mut expire) = (ticks(ASK_AGAIN_EVERY), ticks(EXPIRE_EVERY));
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.hear(message, &mut messages).await,
                    None => {
                        // What cannot be settled now expires as spent.
                        let _ = self.settle(true).await;
                        return;
                    }
                },
                _ = again.tick(), if !self.recalled.is_empty() => {
                    let recalled = std::mem::take(&mut self.recalled);
                    self.ask(recalled).await;
                }
                _ = look.tick(), if self.is_holding => self.look().await,
                _ = settle.tick() => {
                    let _ = self.settle(false).await;
                }
                _ = expire.tick() => {
                    let expired = self.store.expire(self.clock.now()).await;
                    if let Some(leases @ 1..) = self.noted(expired) {
                        tracing::warn!(leases, "what processes that are gone had reserved of budgets counts as spent");
                    }
                }
            }
        }
    }

    /// Hears a message, and all who ask at the same time: they are one question to the store.
    async fn hear(&mut self, message: Message, messages: &mut mpsc::Receiver<Message>) {
        let (mut asked, mut flushes) = (Vec::new(), Vec::new());
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Ask(one) => asked.push(one),
                Message::Flush(reply) => flushes.push(reply),
            }
            next = if asked.len() < WAITING_MAX { messages.try_recv().ok() } else { None };
        }
        self.ask(asked).await;
        for reply in flushes {
            let settled = self.settle(true).await;
            drop(reply.send(settled));
        }
    }

    /// Answers all who can be answered, from what is leased or else from the store.
    async fn ask(&mut self, asked: Vec<Asked>) {
        let mut groups: HashMap<(BudgetKey, u64), Group> = HashMap::new();
        let mut returns = Vec::new();
        for asked in asked {
            let Some(asked) = asked.answered() else { continue };
            let Asked { limit, amount, .. } = asked;
            let (key, free) = {
                let mut account = lock(&asked.account);
                if account.limit() != limit {
                    account.within(limit);
                    let settlement = account.settlement(self.clock.now(), true);
                    returns.extend(settlement.map(|settlement| (Arc::clone(&asked.account), settlement)));
                }
                (account.key().clone(), account.free())
            };
            let missing = amount.saturating_sub(free).max(1);
            let group = groups.entry((key.clone(), limit)).or_insert_with(|| {
                let ask = Ask { key, limit, least: missing, all: 0 };
                Group { account: Arc::clone(&asked.account), ask, asked: Vec::new() }
            });
            // What is free is missing only once.
            let more = if group.asked.is_empty() { missing } else { amount };
            group.ask.least = group.ask.least.min(missing);
            group.ask.all = group.ask.all.saturating_add(more);
            group.asked.push(asked);
        }
        let groups: Vec<_> = groups.into_values().collect();
        if self.settle_these(returns).await.is_err() {
            groups.into_iter().for_each(Group::fail);
        } else if !groups.is_empty() {
            self.reserve(groups).await;
        }
    }

    async fn reserve(&mut self, groups: Vec<Group>) {
        let asks: Vec<Ask> = groups.iter().map(|group| group.ask.clone()).collect();
        let now = self.clock.now();
        let granted = self.store.reserve(&self.holder, &asks, now, until(now)).await;
        let Some(grants) = self.noted(granted) else {
            groups.into_iter().for_each(Group::fail);
            return;
        };
        for (group, grant) in groups.into_iter().zip(grants) {
            self.share(group, &grant);
        }
    }

    /// Shares what was granted among those who asked, first come, first served.
    fn share(&mut self, group: Group, grant: &Granted) {
        let Group { account, ask, asked } = group;
        if grant.amount > 0 {
            lock(&account).grant(ask.limit, grant);
            self.is_holding = true;
        }
        let now = Instant::now();
        let taken = grant.taken.saturating_add(grant.amount);
        for asked in asked {
            let Some(mut asked) = asked.answered() else { continue };
            let until = *asked.until.get_or_insert_with(|| now.checked_add(RECALL_PATIENCE).unwrap_or(now));
            let left = ask.limit.saturating_sub(taken).saturating_add(lock(&account).free());
            let might_fit = grant.elsewhere > 0 && left.saturating_add(grant.elsewhere) >= asked.amount;
            // Where all was granted, somebody who did not have to ask was faster, and there may be more.
            if grant.amount >= ask.all || (might_fit && now < until) {
                self.recalled.push(asked);
                continue;
            }
            let before = lock(&account).refuse(asked.limit, asked.amount, taken, might_fit);
            let hold = Hold::refused(&account, asked.limit, asked.amount, before);
            drop(asked.reply.send(Ok(hold)));
        }
    }

    /// Gives back what others want and nobody here uses.
    async fn look(&mut self) {
        let wanted = self.store.wanted(&self.holder).await;
        let Some(wanted) = self.noted(wanted).filter(|wanted| !wanted.is_empty()) else { return };
        let now = self.clock.now();
        let mut settlements = Vec::new();
        self.accounts.visit(|shared| {
            let mut account = lock(shared);
            if wanted.contains(&account.lease())
                && let Some(settlement) = account.settlement(now, true)
            {
                settlements.push((Arc::clone(shared), settlement));
            }
        });
        // A failure was noted, and is tried again.
        let _ = self.settle_these(settlements).await;
    }

    async fn settle(&mut self, give_back: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut settlements = Vec::new();
        let mut is_holding = false;
        self.accounts.visit(|shared| {
            let mut account = lock(shared);
            account.forget_refusal();
            if let Some(settlement) = account.settlement(now, give_back) {
                settlements.push((Arc::clone(shared), settlement));
            }
            is_holding |= account.lease() != 0;
        });
        self.is_holding = is_holding;
        self.settle_these(settlements).await
    }

    async fn settle_these(&mut self, settlements: Vec<(Shared, Settlement)>) -> Result<(), StoreError> {
        let (accounts, settlements): (Vec<_>, Vec<_>) = settlements.into_iter().unzip();
        let mut result = Ok(());
        for (accounts, settlements) in accounts.chunks(STEP).zip(settlements.chunks(STEP)) {
            let settled = self.store.settle(&self.holder, settlements, until(self.clock.now())).await;
            self.note(&settled);
            match settled {
                Ok(held) => {
                    for ((account, settlement), held) in accounts.iter().zip(settlements).zip(held) {
                        lock(account).settled(settlement, held);
                    }
                }
                Err(error) => {
                    accounts.iter().zip(settlements).for_each(|(account, one)| lock(account).unsettled(one));
                    result = Err(error);
                }
            }
        }
        result
    }

    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        self.note(&result);
        result.ok()
    }

    /// Says once that the store fails, and once that it does not any more.
    fn note<T>(&mut self, result: &Result<T, StoreError>) {
        match (result, self.is_failing) {
            (Err(error), false) => tracing::error!(%error, "budgets cannot be reserved or settled"),
            (Ok(_), true) => tracing::info!("budgets can be reserved and settled again"),
            (Ok(_), false) | (Err(_), true) => {}
        }
        self.is_failing = result.is_err();
    }
}

impl Group {
    fn fail(self) {
        for asked in self.asked {
            drop(asked.reply.send(Err(NotReserved)));
        }
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn until(now: Timestamp) -> Timestamp {
    let life = i64::try_from(LEASE_LIFE.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(life))
}

/// A name that no other process has or had.
fn holder() -> String {
    let random = getrandom::u64().unwrap_or_default();
    format!("{}-{random:016x}", std::process::id())
}
