use std::sync::Arc;
use std::time::Duration;

use cedargate::model::Timestamp;
use cedargate_tokens::{
    BudgetKey, Event, EventFilter, Owner, Recorder, RecorderOptions, Retention, Selector, Settlement, Shadow,
    SqliteOptions, SqliteStore, Status, Store, UNLISTED, Unit, Verdict, Window,
};

use crate::stage::{Stage, later};

fn event(stage: &Stage, n: u32) -> Event {
    let mut event = Event::new(format!("req_{n}"), stage.clock.now(), "chat.completions", Verdict::Allow);
    event.token_id = Some("tok_a".into());
    event.token_name = Some("app".into());
    event.secret_version = Some(1);
    event.team = Some("frontend".into());
    event.provider = Some("openai".into());
    event.model = Some("gpt-4o".into());
    event.policies = ["general-uses-gateway".into()].into();
    event.policy_set = Some("sha256:00".into());
    event.latency_us = 120;
    event.tokens_in = Some(10);
    event.tokens_out = Some(20);
    event.cost_nanos = Some(3_000);
    event
}

fn denied(stage: &Stage, n: u32) -> Event {
    let mut event = event(stage, n);
    event.decision = Verdict::Deny;
    event.status = 403;
    event.code = Some("model_not_allowed".into());
    event.model = Some(format!("made-up-{n}").into());
    event.shadow = Some(Shadow {
        decision: Verdict::Allow,
        status: 200,
        code: None,
        policies: vec!["candidate".into()],
        policy_set: "sha256:11".into(),
    });
    event
}

fn recorder(stage: &Stage) -> Recorder {
    Recorder::start(Arc::clone(&stage.store), RecorderOptions::default())
}

#[tokio::test]
async fn events_come_back_as_they_were() {
    let stage = Stage::new().await;
    let recorder = recorder(&stage);
    // More than one statement's worth.
    let events: Vec<_> = (0..300).map(|n| if n % 3 == 0 { denied(&stage, n) } else { event(&stage, n) }).collect();
    events.iter().for_each(|event| recorder.record(event.clone()));
    recorder.flush().await.unwrap();
    let all = stage.store.events(&EventFilter::default(), None, 1_000).await.unwrap();
    assert_eq!(all.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), events);
    let last = stage.store.events(&EventFilter::default(), None, 2).await.unwrap();
    assert_eq!(last, all[298..]);
    let next = stage.store.events(&EventFilter::default(), Some(all[9].0), 3).await.unwrap();
    assert_eq!(next, all[10..13]);
    for (condition, count) in [
        ("token_name=app", 300),
        ("token_name=' OR 1=1 --", 0),
        ("team=frontend", 300),
        ("decision=deny", 100),
        ("code=model_not_allowed", 100),
        ("model=gpt-4o", 200),
        ("model=made-up-3", 1),
        ("would_flip=true", 100),
    ] {
        let filter: EventFilter = condition.parse().unwrap();
        assert_eq!(stage.store.events(&filter, None, 1_000).await.unwrap().len(), count, "{condition}");
        assert_eq!(events.iter().filter(|event| filter.matches(event)).count(), count, "{condition}");
    }
}

#[tokio::test]
async fn only_so_many_events_are_kept() {
    let stage = Stage::new().await;
    let recorder = Recorder::start(
        Arc::clone(&stage.store),
        RecorderOptions { retention: Retention { events_max: 10, age_max: None }, ..RecorderOptions::default() },
    );
    for n in 0..25 {
        recorder.record(event(&stage, n));
        recorder.flush().await.unwrap();
    }
    let kept = stage.store.events(&EventFilter::default(), None, 100).await.unwrap();
    let ids: Vec<_> = kept.iter().map(|(_, event)| event.id.to_string()).collect();
    assert_eq!(ids, (15..25).map(|n| format!("req_{n}")).collect::<Vec<_>>());
    // The counts know of all.
    let usage = stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(usage[0].1.requests, 25);
}

#[tokio::test]
async fn counts_are_by_model_and_denials_together() {
    let stage = Stage::new().await;
    let recorder = recorder(&stage);
    for n in 0..10 {
        recorder.record(if n < 4 { denied(&stage, n) } else { event(&stage, n) });
    }
    let mut failed = event(&stage, 10);
    failed.status = 502;
    recorder.record(failed);
    // A provider's own key is not counted: anybody can make up as many as he likes.
    let mut passed = event(&stage, 11);
    passed.token_id = Some("key_0001".into());
    passed.secret_version = None;
    recorder.record(passed);
    recorder.flush().await.unwrap();
    let usage = stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    let shown: Vec<_> = usage.iter().map(|(model, count)| (model.as_str(), count.requests, count.errors)).collect();
    assert_eq!(shown, [("(denied)", 4, 4), ("gpt-4o", 7, 1)]);
    assert_eq!(usage[1].1.cost_nanos, 21_000);
    assert!(stage.store.usage("key_0001", Timestamp::from_millis(0)).await.unwrap().is_empty());
    assert!(stage.store.usage("tok_a", later(stage.clock.now(), 3_600)).await.unwrap().is_empty());
}

#[tokio::test]
async fn counts_are_added_once_by_whoever_reads_or_writes() {
    let stage = Stage::new().await;
    let other = SqliteStore::open(stage.sqlite.path(), SqliteOptions::default()).await.unwrap();
    let recorder = recorder(&stage);
    let mut seen = 0;
    for n in 1..=40 {
        recorder.record(event(&stage, n));
        recorder.flush().await.unwrap();
        if n % 3 == 0 {
            let stores: [&dyn Store; 2] = [&other, &*stage.store];
            for store in stores {
                let usage = store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
                seen = usage.iter().map(|(_, count)| count.requests).sum();
                assert_eq!(seen, u64::from(n));
            }
        }
    }
    assert_eq!(seen, 39);
    other.close().await;
}

#[tokio::test]
async fn events_that_are_too_old_are_forgotten() {
    let stage = Stage::new().await;
    let recorder = recorder(&stage);
    let ago = |seconds: i64| Event { time: later(stage.clock.now(), -seconds), ..event(&stage, 1) };
    let kept = async || stage.store.events(&EventFilter::default(), None, 100).await.unwrap().len();
    for seconds in [90_000, 80_000, 4_000, 3_000] {
        recorder.record(ago(seconds));
    }
    recorder.flush().await.unwrap();
    assert_eq!(kept().await, 4);
    recorder.keep(Retention { age_max: Some("1d".parse().unwrap()), ..Retention::default() });
    recorder.record(ago(5));
    recorder.flush().await.unwrap();
    assert_eq!(kept().await, 4);
    // Where nothing happens, a recorder that starts looks at them.
    let retention = Retention { age_max: Some("1h".parse().unwrap()), ..Retention::default() };
    let another =
        Recorder::start(Arc::clone(&stage.store), RecorderOptions { retention, ..RecorderOptions::default() });
    another.flush().await.unwrap();
    crate::stage::until("the old ones are gone", async || kept().await == 2).await;
    let usage = stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(usage[0].1.requests, 5, "what was counted stays counted");
}

#[tokio::test]
async fn who_may_not_write_reads_all_the_same() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let recorder = recorder(&stage);
    recorder.record(event(&stage, 1));
    recorder.flush().await.unwrap();
    let read_only = SqliteOptions { read_only: true, ..SqliteOptions::default() };
    let reader = SqliteStore::open(stage.sqlite.path(), read_only).await.unwrap();
    let store: &dyn Store = &reader;
    assert_eq!(store.tokens(0, 10).await.unwrap().tokens.len(), 1);
    assert!(store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap().is_empty(), "it waits to be added");
    assert_eq!(stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap()[0].1.requests, 1);
    assert_eq!(store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap()[0].1.requests, 1);
    reader.close().await;
}

#[tokio::test]
async fn last_use_is_known_by_secret() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let app = Selector::Name("app".to_owned());
    let token = stage.tokens.find(&app).await.unwrap();
    assert_eq!(token.last_used_at, None);
    let recorder = recorder(&stage);
    let mut used = event(&stage, 1);
    used.token_id = Some(token.id.as_str().into());
    let at = used.time;
    recorder.record(used);
    recorder.flush().await.unwrap();
    let token = stage.tokens.find(&app).await.unwrap();
    assert_eq!((token.last_used_at, token.secrets[0].last_used_at), (Some(at), Some(at)));
    // What was refused is no use.
    let mut refused = denied(&stage, 2);
    refused.token_id = Some(token.id.as_str().into());
    let refused_at = refused.time;
    recorder.record(refused);
    recorder.flush().await.unwrap();
    let token = stage.tokens.find(&app).await.unwrap();
    assert_eq!((token.last_used_at, token.last_refused_at), (Some(at), Some(refused_at)));
    assert_eq!((token.secrets[0].last_used_at, token.secrets[0].last_refused_at), (Some(at), Some(refused_at)));
    // Use is not a change: neither of the token nor of what the log says.
    assert_eq!(token.revision, 1);
    assert!(stage.tokens.audit_verify(None).await.unwrap().is_ok());
}

#[tokio::test]
async fn what_holds_of_a_token_holds_of_its_secrets() {
    let stage = Stage::new().await;
    stage.create("app").await;
    let app = Selector::Name("app".to_owned());
    let statuses = async || {
        let token = stage.tokens.find(&app).await.unwrap();
        let at = stage.clock.now();
        token.secrets.iter().map(|secret| token.secret_status(secret, at)).collect::<Vec<_>>()
    };
    stage.tokens.rotate(&app, &cedargate_tokens::Rotation::default()).await.unwrap();
    assert_eq!(statuses().await, [Status::InGrace, Status::Active]);
    stage.tokens.disable(&app).await.unwrap();
    assert_eq!(statuses().await, [Status::Disabled, Status::Disabled]);
    stage.tokens.revoke(&app, Some(1)).await.unwrap();
    assert_eq!(statuses().await, [Status::Revoked, Status::Disabled]);
    stage.tokens.revoke(&app, None).await.unwrap();
    assert_eq!(statuses().await, [Status::Revoked, Status::Revoked]);
}

#[tokio::test]
async fn what_was_spent_is_added_up_and_found_at_the_next_start() {
    let stage = Stage::new().await;
    let at = stage.clock.now();
    let budget = BudgetKey::at(Owner::Token("tok_a".into()), Unit::Money, Window::Month, at);
    let team = BudgetKey::at(Owner::Team("tok_a".into()), Unit::Tokens, Window::Ever, at);
    for _ in 0..3 {
        let spent = |key: &BudgetKey, spent| Settlement {
            key: key.clone(),
            lease: None,
            spent,
            covered: 0,
            returned: 0,
            is_all: false,
        };
        stage.store.settle("one", &[spent(&budget, 5), spent(&team, 7)], at).await.unwrap();
    }
    let stage = Stage::in_folder(stage.close().await).await;
    let mut spent = stage.store.spent(at).await.unwrap();
    spent.sort_by_key(|(_, amount)| *amount);
    assert_eq!(spent, [(budget, 15), (team.clone(), 21)]);
    // A window that has ended counts no more.
    assert_eq!(stage.store.spent(later(at, 32 * 86_400)).await.unwrap(), [(team, 21)]);
}

#[tokio::test]
async fn recording_never_waits_and_says_what_it_dropped() {
    let stage = Stage::new().await;
    let options =
        RecorderOptions { queue_max: 8, write_every: Duration::from_secs(3_600), ..RecorderOptions::default() };
    let recorder = Recorder::start(Arc::clone(&stage.store), options);
    let last = event(&stage, 99);
    for n in 0..100 {
        recorder.record(event(&stage, n));
    }
    assert!(recorder.dropped() > 0);
    recorder.flush().await.unwrap();
    let kept = stage.store.events(&EventFilter::default(), None, 1_000).await.unwrap().len();
    assert_eq!(u64::try_from(kept).unwrap() + recorder.dropped(), 100);
    let usage = stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(usage[0].1.requests, 100, "what is dropped is still counted");
    drop(last);
}

#[tokio::test]
async fn old_hours_become_days_and_nothing_is_lost() {
    let stage = Stage::new().await;
    let recorder = recorder(&stage);
    let days_ago = |days: i64, hour: i64| later(stage.clock.now(), -days * 86_400 + hour * 3_600);
    for hour in 0..48 {
        let mut old = event(&stage, 1);
        old.time = days_ago(60, hour);
        recorder.record(old.clone());
        old.time = days_ago(2, hour);
        recorder.record(old);
    }
    recorder.flush().await.unwrap();
    let all = async || stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    let recent = async || stage.store.usage("tok_a", days_ago(3, 0)).await.unwrap();
    let before = (all().await, recent().await);
    for _ in 0..2 {
        stage.store.tidy(stage.clock.now()).await.unwrap();
        assert_eq!((all().await, recent().await), before);
    }
    assert_eq!((before.0[0].1.requests, before.1[0].1.requests), (96, 48));
}

#[tokio::test]
async fn names_that_clients_choose_make_no_rows() {
    let stage = Stage::new().await;
    let recorder = recorder(&stage);
    for n in 0..100 {
        let mut event = event(&stage, n);
        event.model = Some(format!("made-up-{n}").into());
        event.counted_as = Some(UNLISTED.into());
        recorder.record(event);
    }
    recorder.flush().await.unwrap();
    let usage = stage.store.usage("tok_a", Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(
        usage.iter().map(|(model, count)| (model.as_str(), count.requests)).collect::<Vec<_>>(),
        [(UNLISTED, 100)]
    );
    let events = stage.store.events(&EventFilter::default(), None, 1).await.unwrap();
    assert_eq!(events[0].1.model.as_deref(), Some("made-up-99"), "an event tells what was asked for");
}
