//! What every store of budgets keeps, whatever it is made of: the suite runs over each kind of store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cedargate::model::Timestamp;
use cedargate_tokens::{Ask, BudgetKey, Granted, Owner, Settlement, SqliteOptions, SqliteStore, Store, Unit, Window};
use tempfile::TempDir;

use crate::stage::later;

/// A store of one kind, of which any number of handles can be opened.
trait Kind {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn Store>> + '_>>;
}

struct Sqlite(TempDir);

impl Kind for Sqlite {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn Store>> + '_>> {
        Box::pin(async {
            let path = self.0.path().join("tokens.db");
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path, SqliteOptions::default()).await.unwrap());
            store
        })
    }
}

/// A new store of each kind.
fn kinds() -> Vec<Box<dyn Kind>> {
    vec![Box::new(Sqlite(tempfile::tempdir().unwrap()))]
}

fn noon() -> Timestamp {
    "2026-04-23T12:00:00Z".parse().unwrap()
}

fn daily(at: Timestamp) -> BudgetKey {
    BudgetKey::at(Owner::Token("tok_a".into()), Unit::Requests, Window::Day, at)
}

fn ask(limit: u64, amount: u64) -> Ask {
    Ask { key: daily(noon()), limit, least: amount, all: amount }
}

/// Reserves for a minute from noon.
async fn reserve(store: &Arc<dyn Store>, holder: &str, ask: Ask) -> Granted {
    let granted = store.reserve(holder, &[ask], noon(), later(noon(), 60)).await.unwrap();
    granted[0]
}

async fn settle(store: &Arc<dyn Store>, holder: &str, lease: i64, spent: u64, covered: u64, returned: u64) -> bool {
    let key = daily(noon());
    let settlement = Settlement { key, lease: Some(lease), spent, covered, returned, is_all: returned > 0 };
    store.settle(holder, &[settlement], later(noon(), 60)).await.unwrap()[0]
}

async fn spent(store: &Arc<dyn Store>, at: Timestamp) -> u64 {
    store.spent(at).await.unwrap().iter().filter(|(key, _)| *key == daily(at)).map(|(_, amount)| *amount).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_through_two_handles_never_reserve_more_than_the_limit() {
    for kind in kinds() {
        let handles = [kind.open().await, kind.open().await];
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let store = Arc::clone(&handles[n % 2]);
                tokio::spawn(async move { reserve(&store, &format!("holder-{}", n % 7), ask(50, 1)).await.amount })
            })
            .collect();
        let mut reserved = 0;
        for task in tasks {
            reserved += task.await.unwrap();
        }
        assert_eq!(reserved, 50);
        assert_eq!(
            reserve(&handles[0], "late", ask(50, 1)).await,
            Granted { amount: 0, lease: 0, taken: 50, elsewhere: 50 }
        );
    }
}

#[tokio::test]
async fn what_is_left_of_a_holder_that_is_gone_counts_as_spent() {
    for kind in kinds() {
        let store = kind.open().await;
        let lost = reserve(&store, "gone", ask(100, 40)).await;
        assert!((40..100).contains(&lost.amount), "{lost:?}");
        // While it may come back, it is reserved; from then on, it is spent. Neither is anybody else's.
        assert_eq!(store.expire(later(noon(), 59)).await.unwrap(), 0);
        assert_eq!((spent(&store, noon()).await, reserve(&store, "other", ask(100, 80)).await.amount), (0, 0));
        assert_eq!(store.expire(later(noon(), 60)).await.unwrap(), 1);
        assert_eq!(store.expire(later(noon(), 60)).await.unwrap(), 0, "counted once");
        assert_eq!(spent(&store, noon()).await, lost.amount);
        let other = reserve(&store, "other", ask(100, 1)).await;
        assert_eq!((other.taken, other.elsewhere), (lost.amount, 0));
    }
}

#[tokio::test]
async fn what_is_settled_after_it_expired_is_counted_once() {
    for kind in kinds() {
        let store = kind.open().await;
        let lease = reserve(&store, "slow", ask(100, 10)).await;
        // Somebody else asks, and so it expires.
        let asks = [ask(100, 1)];
        store.reserve("other", &asks, later(noon(), 61), later(noon(), 120)).await.unwrap();
        let before = spent(&store, noon()).await;
        assert_eq!(before, lease.amount);
        assert!(!settle(&store, "slow", lease.lease, 4, 4, lease.amount - 4).await);
        assert_eq!(spent(&store, noon()).await, before, "it counted whole before");
        assert!(!settle(&store, "slow", lease.lease, 25, 10, 0).await);
        assert_eq!(spent(&store, noon()).await, before + 15, "what went beyond it did not");
        let again = reserve(&store, "slow", ask(100, 1)).await;
        assert_ne!(again.lease, lease.lease, "another lease has another number");
    }
}

#[tokio::test]
async fn what_is_settled_is_spent_and_the_rest_is_left() {
    for kind in kinds() {
        let store = kind.open().await;
        let lease = reserve(&store, "one", ask(1_000, 100)).await;
        assert!(settle(&store, "one", lease.lease, 30, 30, 0).await);
        assert_eq!(
            reserve(&store, "one", ask(1_000, 1)).await.taken,
            lease.amount,
            "spent or reserved, it is the same"
        );
        // More than was reserved: nobody can help that, and it counts.
        assert!(settle(&store, "one", lease.lease, 500, 20, 0).await);
        assert_eq!(spent(&store, noon()).await, 530);
        // Spent without a lease.
        let free = Settlement { key: daily(noon()), lease: None, spent: 7, covered: 0, returned: 0, is_all: false };
        assert_eq!(store.settle("one", &[free], noon()).await.unwrap(), [true]);
        assert_eq!(spent(&store, noon()).await, 537);
        // Everything is given back: the lease is forgotten.
        assert!(settle(&store, "one", lease.lease, 0, 0, 1_000_000).await);
        assert_eq!(reserve(&store, "two", ask(1_000, 1)).await.taken, 537);
        assert!(!settle(&store, "one", lease.lease, 0, 0, 0).await);
        let others = reserve(&store, "two", ask(1_000, 1)).await;
        assert!(!settle(&store, "one", others.lease, 0, 0, 1).await, "nobody settles for another");
    }
}

#[tokio::test]
async fn another_window_is_another_budget() {
    for kind in kinds() {
        let store = kind.open().await;
        let today = reserve(&store, "one", ask(10, 10)).await;
        let tomorrow = later(noon(), 86_400);
        let next = Ask { key: daily(tomorrow), ..ask(10, 10) };
        let next = store.reserve("one", &[next], later(noon(), 1), later(noon(), 60)).await.unwrap()[0];
        assert_eq!((today.amount, next.amount, next.taken), (10, 10, 0));
        // What belongs to the old window is settled there.
        assert!(settle(&store, "one", today.lease, 3, 3, 7).await);
        assert_eq!(spent(&store, noon()).await, 3);
        assert_eq!(spent(&store, tomorrow).await, 0);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_frees_nothing() {
    for kind in kinds() {
        let store = kind.open().await;
        let lease = reserve(&store, "one", ask(10, 10)).await;
        let before = later(noon(), -7_200);
        let again = store.reserve("two", &[ask(10, 1)], before, later(before, 60)).await.unwrap()[0];
        assert_eq!((again.amount, again.taken), (0, 10));
        assert_eq!(store.expire(before).await.unwrap(), 0);
        // To prolong it by a clock that lies behind makes it no shorter.
        let key = daily(noon());
        let renewal = Settlement { key, lease: Some(lease.lease), spent: 0, covered: 0, returned: 0, is_all: false };
        assert_eq!(store.settle("one", &[renewal], later(before, 60)).await.unwrap(), [true]);
        assert_eq!(store.expire(later(noon(), 59)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_limit_holds_from_the_next_question_on() {
    for kind in kinds() {
        let store = kind.open().await;
        let first = reserve(&store, "one", ask(100, 40)).await;
        assert_eq!(reserve(&store, "one", ask(first.amount, 1)).await.amount, 0, "lowered");
        assert_eq!(reserve(&store, "one", ask(10, 1)).await.amount, 0, "lowered below what is reserved");
        let raised = reserve(&store, "two", ask(200, 100)).await;
        assert!(raised.amount >= 100 && raised.amount <= 200 - first.amount, "{raised:?}");
        assert_eq!(reserve(&store, "two", ask(0, 1)).await.amount, 0, "nothing is allowed");
        let all = reserve(&store, "three", Ask { least: 1, ..ask(200, 1_000) }).await;
        assert_eq!(all.amount, 200 - first.amount - raised.amount, "as much as there is");
    }
}

#[tokio::test]
async fn who_needs_what_another_does_not_use_gets_it() {
    for kind in kinds() {
        let store = kind.open().await;
        let first = reserve(&store, "one", ask(100, 1)).await;
        assert!(first.amount > 1, "something ahead: {first:?}");
        let rest = reserve(&store, "two", Ask { least: 1, ..ask(100, 100) }).await;
        assert_eq!(rest.amount, 100 - first.amount);
        assert!(store.wanted("one").await.unwrap().is_empty());
        let refused = reserve(&store, "two", ask(100, 1)).await;
        assert_eq!((refused.amount, refused.elsewhere), (0, first.amount));
        assert_eq!(store.wanted("one").await.unwrap(), [first.lease]);
        assert!(store.wanted("two").await.unwrap().is_empty());
        assert!(settle(&store, "one", first.lease, 0, 0, first.amount - 1).await);
        assert!(store.wanted("one").await.unwrap().is_empty());
        assert_eq!(reserve(&store, "two", ask(100, first.amount - 1)).await.amount, first.amount - 1);
        // What is left there is in use: nobody is asked for it again.
        assert_eq!(reserve(&store, "two", ask(100, 1)).await.elsewhere, 0);
        assert!(store.wanted("one").await.unwrap().is_empty());
    }
}

#[test]
fn what_is_granted_ahead_becomes_less_and_nothing_near_the_limit() {
    let granted = |limit, taken| ask(limit, 1).grant(taken);
    assert_eq!(granted(3_201, 0), 101);
    assert_eq!(granted(3_201, 1_600), 51);
    assert_eq!((granted(100, 68), granted(100, 67), granted(100, 99), granted(100, 100)), (1, 2, 1, 0));
    assert_eq!((granted(0, 0), granted(10, 1_000), ask(10, 11).grant(0)), (0, 0, 0));
}
