//! Budgets as processes spend them, each from what it has leased.

use std::fs;
use std::sync::Arc;

use cedargate_tokens::{BudgetKey, Ledger, NotReserved, Owner, SqliteOptions, SqliteStore, Store, Unit, Window};

use crate::stage::{Stage, later, until};

fn key(stage: &Stage, window: Window) -> BudgetKey {
    BudgetKey::at(Owner::Token("tok_a".into()), Unit::Requests, window, stage.clock.now())
}

fn ledger(stage: &Stage) -> Ledger {
    Ledger::start(Arc::clone(&stage.store), Arc::clone(&stage.clock))
}

/// As another process would have: with a handle of the store of its own.
async fn another(stage: &Stage) -> Ledger {
    let store = SqliteStore::open(stage.path(), SqliteOptions::default()).await.unwrap();
    Ledger::start(Arc::new(store), Arc::clone(&stage.clock))
}

async fn spent(store: &Arc<dyn Store>, stage: &Stage) -> u64 {
    store.spent(stage.clock.now()).await.unwrap().iter().map(|(_, amount)| *amount).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_at_two_ledgers_reserve_exactly_the_limit() {
    let stage = Stage::new().await;
    let ledgers = [ledger(&stage), another(&stage).await];
    let key = key(&stage, Window::Ever);
    let tasks: Vec<_> = (0..1_000)
        .map(|n| {
            let (ledger, key) = (ledgers[n % 2].clone(), key.clone());
            tokio::spawn(async move { ledger.reserve(key, 50, 1).await.unwrap() })
        })
        .collect();
    let mut holds = Vec::new();
    for task in tasks {
        let hold = task.await.unwrap();
        assert_eq!(hold.is_reserved(), hold.spent_before() < 50, "what is decided is what is reserved: {hold:?}");
        holds.extend(hold.is_reserved().then_some(hold));
    }
    assert_eq!(holds.len(), 50);
    holds.into_iter().for_each(|hold| hold.settle(1));
    for ledger in &ledgers {
        ledger.flush().await.unwrap();
    }
    assert_eq!(spent(&stage.store, &stage).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_while_another_leaves_something_unused() {
    let stage = Stage::new().await;
    let (one, two) = (ledger(&stage), another(&stage).await);
    let key = key(&stage, Window::Ever);
    let limit = 3_200;
    one.reserve(key.clone(), limit, 1).await.unwrap().settle(1);
    // The first leased ahead and uses nothing more. The second gets the rest to the last one.
    for n in 1..limit {
        let hold = two.reserve(key.clone(), limit, 1).await.unwrap();
        assert!(hold.is_reserved(), "{n}: {hold:?}");
        hold.settle(1);
    }
    for ledger in [&one, &two] {
        let hold = ledger.reserve(key.clone(), limit, 1).await.unwrap();
        assert!(!hold.is_reserved() && hold.spent_before() == limit, "{hold:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_can_be_reserved_again() {
    let stage = Stage::new().await;
    let ledger = ledger(&stage);
    let key = key(&stage, Window::Day);
    for _ in 0..10 {
        let first = ledger.reserve(key.clone(), 10, 6).await.unwrap();
        assert!(first.is_reserved());
        let second = ledger.reserve(key.clone(), 10, 6).await.unwrap();
        assert!(!second.is_reserved() && second.spent_before() > 4, "{second:?}");
        drop(first);
    }
    // Less is spent than was reserved: the rest is there at once.
    ledger.reserve(key.clone(), 10, 10).await.unwrap().settle(1);
    let rest = ledger.reserve(key.clone(), 10, 9).await.unwrap();
    assert!(rest.is_reserved() && rest.spent_before() == 1, "{rest:?}");
    // More is spent than was reserved: it counts.
    rest.settle(30);
    ledger.flush().await.unwrap();
    assert_eq!(spent(&stage.store, &stage).await, 31);
    let over = ledger.reserve(key.clone(), 10, 1).await.unwrap();
    assert!(!over.is_reserved() && over.spent_before() >= 10, "{over:?}");
    // Whoever admits it nevertheless has it counted.
    over.settle(2);
    ledger.flush().await.unwrap();
    assert_eq!(spent(&stage.store, &stage).await, 33);
    let nothing = ledger.reserve(key, 10, 0).await.unwrap();
    assert!(nothing.is_reserved(), "who wants nothing gets it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_changes_holds_at_once() {
    let stage = Stage::new().await;
    let ledger = ledger(&stage);
    let key = key(&stage, Window::Ever);
    let reserves = async |limit, amount| ledger.reserve(key.clone(), limit, amount).await.unwrap();
    let held = reserves(1_000, 100).await;
    assert!(held.is_reserved());
    // What was leased ahead under the old limit is not spent under the new one.
    assert!(!reserves(100, 1).await.is_reserved(), "lowered");
    held.settle(40);
    until("the rest can be had", async || reserves(100, 60).await.is_reserved()).await;
    assert!(!reserves(0, 1).await.is_reserved(), "nothing is allowed");
    let raised = reserves(200, 160).await;
    assert!(raised.is_reserved() && raised.spent_before() == 40, "{raised:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_window_begins_with_nothing() {
    let stage = Stage::new().await;
    let ledger = ledger(&stage);
    let now = stage.clock.now();
    let day = |at| BudgetKey::at(Owner::Team("red".into()), Unit::Requests, Window::Day, at);
    let (today, tomorrow) = (day(now), day(later(now, 86_400)));
    let old = ledger.reserve(today.clone(), 5, 5).await.unwrap();
    assert!(!ledger.reserve(today.clone(), 5, 1).await.unwrap().is_reserved());
    let new = ledger.reserve(tomorrow.clone(), 5, 5).await.unwrap();
    assert!(new.is_reserved() && new.spent_before() == 0, "{new:?}");
    old.settle(5);
    new.settle(2);
    ledger.flush().await.unwrap();
    let spent = stage.store.spent(now).await.unwrap();
    let of = |key: &BudgetKey| spent.iter().find(|(other, _)| other == key).map(|(_, amount)| *amount);
    assert_eq!((of(&today), of(&tomorrow)), (Some(5), Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_lets_nobody_spend_more_than_was_leased() {
    let stage = Stage::new().await;
    let ledger = ledger(&stage);
    let key = key(&stage, Window::Ever);
    ledger.reserve(key.clone(), 10, 4).await.unwrap().settle(1);
    let away = stage.folder.path().join("away.db");
    fs::rename(stage.path(), &away).unwrap();
    // What was leased is this one's, whatever becomes of the store.
    let mine = ledger.reserve(key.clone(), 10, 3).await.unwrap();
    assert!(mine.is_reserved());
    assert_eq!(ledger.reserve(key.clone(), 10, 1).await.unwrap_err(), NotReserved);
    mine.settle(3);
    assert!(ledger.flush().await.is_err());
    fs::rename(&away, stage.path()).unwrap();
    let rest = ledger.reserve(key.clone(), 10, 6).await.unwrap();
    assert!(rest.is_reserved(), "{rest:?}");
    rest.settle(6);
    ledger.flush().await.unwrap();
    assert_eq!(spent(&stage.store, &stage).await, 10);
}
