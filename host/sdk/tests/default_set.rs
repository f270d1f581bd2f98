//! The decision point with the policies that come with the crate.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cedargate::model::{Counter, Profile, Record, Request, Timestamp};
use cedargate::{Bundle, BundleError, Decision, DecisionEvent, LoadError, Observer, Outcome, Pdp, ReloadReport};

fn at() -> Timestamp {
    "2026-04-23T12:45:00Z".parse().unwrap()
}

fn pdp() -> Pdp {
    // Generous: a test asserts what is decided, not how fast on a busy machine.
    Pdp::builder().deadline(Duration::from_secs(5)).build().unwrap()
}

fn chat(model: &str) -> Request {
    let mut request = Request::new("chat.completions");
    request.provider = Some("openai".to_owned());
    request.model = Some(model.to_owned());
    request
}

fn frontend() -> Profile {
    let mut profile = Profile::general("tok_frontend");
    profile.bindings.models = Some(vec!["gpt-4o".to_owned(), "gpt-4o-mini".to_owned()]);
    profile
}

#[test]
fn a_scoped_token_may_use_its_models_and_no_others() {
    let pdp = pdp();
    let token = pdp.principal(&frontend()).unwrap();
    let allowed = pdp.decide(&token, &chat("gpt-4o"), at());
    assert!(allowed.is_allow(), "{allowed:?}");
    assert_eq!((allowed.status(), allowed.code()), (200, None));
    let denied = pdp.decide(&token, &chat("o3"), at());
    assert_eq!((denied.status(), denied.code()), (403, Some("model_not_allowed")), "{denied:?}");
    assert_eq!(denied.policies().count(), 1);
    let denial = denied.into_result().unwrap_err();
    assert_eq!((denial.status, denial.should_retry, denial.retry_after), (403, false, None));
}

#[test]
fn exhausted_counters_say_whether_to_retry() {
    let pdp = pdp();
    let token = pdp.principal(&frontend()).unwrap();
    let mut request = chat("gpt-4o");
    request.rate = Some(Counter::new(10, 10, 1).resets_at("2026-04-23T12:45:07.5Z".parse().unwrap()));
    let denial = pdp.decide(&token, &request, at()).into_result().unwrap_err();
    assert_eq!((denial.status, denial.code.as_str(), denial.should_retry), (429, "rate_limited", true));
    assert_eq!(denial.retry_after, Some(Duration::from_millis(7_500)));
    assert!(denial.headers().any(|header| header == ("retry-after", "8".to_owned())));
    request.rate = None;
    request.budget = Some(Counter::new(10, 10, 1));
    let denial = pdp.decide(&token, &request, at()).into_result().unwrap_err();
    assert_eq!((denial.code.as_str(), denial.should_retry), ("insufficient_quota", false));
    assert!(denial.headers().any(|header| header == ("x-should-retry", "false".to_owned())));
}

#[test]
fn a_batch_decides_like_one_by_one() {
    let pdp = pdp();
    let token = pdp.principal(&frontend()).unwrap();
    let requests: Vec<Request> =
        (0..150).map(|n| if n % 3 == 0 { chat("o3") } else { chat("gpt-4o") }).chain([Request::new("chat")]).collect();
    let code = |decision: &Decision| decision.code().map(str::to_owned);
    let many: Vec<_> = pdp.decide_many(&token, &requests, at()).iter().map(code).collect();
    let single: Vec<_> = requests.iter().map(|request| code(&pdp.decide(&token, request, at()))).collect();
    assert_eq!(many, single);
    assert!(pdp.decide_many(&token, &[], at()).is_empty());
}

#[test]
fn a_decision_is_remembered_until_it_may_change_and_says_that_others_may_not() {
    let later = |millis: i64| Timestamp::from_millis(at().as_millis() + millis);
    let mut profile = frontend();
    profile.expires_at = Some(later(3_600_000));
    let pdp = pdp();
    let token = pdp.principal(&profile).unwrap();
    let asked = |millis: i64| pdp.decide(&token, &chat("gpt-4o"), later(millis));
    assert_eq!(asked(0).valid(), at()..later(1_000));
    assert_eq!(asked(3_599_500).valid(), later(3_599_500)..later(3_600_000));
    assert_eq!(pdp.metrics().remembered, 1);
    assert_eq!(asked(3_600_000).code(), Some("token_expired"));
    assert_eq!(pdp.metrics().remembered, 1);
    // Whatever was remembered of it, a token that was revoked is another principal.
    profile.status = "revoked".to_owned();
    let revoked = pdp.principal(&profile).unwrap();
    assert_eq!(pdp.decide(&revoked, &chat("gpt-4o"), later(1)).code(), Some("token_revoked"));
}

#[test]
fn a_set_may_forbid_to_remember() {
    let default = Bundle::default_set();
    let files = default.files().filter(|(name, _)| *name != "policies.lock").map(|(name, text)| {
        let text = if name == "bundle.toml" { "max_cache_ms = 0\n" } else { text };
        (name.to_owned(), text.to_owned())
    });
    let bundle = Bundle::from_files(files).unwrap();
    let pdp = Pdp::builder().bundle(bundle).deadline(Duration::from_secs(5)).build().unwrap();
    let token = pdp.principal(&frontend()).unwrap();
    for _ in 0..3 {
        assert!(pdp.decide(&token, &chat("gpt-4o"), at()).valid().is_empty());
    }
    assert_eq!(pdp.metrics().remembered, 0);
}

#[test]
fn a_batch_of_which_a_part_is_remembered_keeps_its_order() {
    let pdp = pdp();
    let token = pdp.principal(&frontend()).unwrap();
    let mut requests: Vec<Request> =
        (0..200).map(|n| chat(if n % 5 == 0 { "gpt-4o" } else { ["o3", "o4", "o5"][n % 3] })).collect();
    for (n, request) in requests.iter_mut().enumerate() {
        request.client_ip = Some(format!("10.0.0.{n}"));
        // With counters nothing is remembered.
        request.rate = (n % 7 == 0).then(|| Counter::new(10, 10, 1));
    }
    let other = Pdp::builder().remember(0).build().unwrap();
    let of = |decision: &Decision| (decision.is_allow(), decision.code().map(str::to_owned));
    let expected: Vec<_> = requests.iter().map(|request| of(&other.decide(&token, request, at()))).collect();
    for request in requests.iter().step_by(2) {
        let _ = pdp.decide(&token, request, at());
    }
    for _ in 0..2 {
        let before = pdp.metrics().remembered;
        let many: Vec<_> = pdp.decide_many(&token, &requests, at()).iter().map(of).collect();
        assert_eq!(many, expected);
        assert!(pdp.metrics().remembered > before);
    }
}

#[test]
fn a_record_is_judged_by_the_component() {
    let pdp = pdp();
    let mut request = chat("gpt-4o");
    request.rate = Some(Counter::new(10, 0, 1));
    let line = Record::new("r-1", at(), &frontend(), &request).unwrap().to_line().unwrap();
    let record = Record::from_line(&line).unwrap();
    let token = pdp.principal_json(record.principal()).unwrap();
    let decision = pdp.decide_json(&token, record.request(), "", record.at());
    assert!(decision.is_allow(), "{decision:?}");
    let odd = pdp.decide_json(&token, r#"{"action":"models.list","modle":"x"}"#, "", at());
    assert_eq!(odd.outcome(), Outcome::RequestInvalid);
    assert!(odd.is_malformed());
    let text = pdp.decide_text(&token, record.request(), "", record.at()).unwrap();
    assert!(text.contains(r#""decision":"allow""#), "{text}");
}

#[test]
fn profiles_that_cannot_be_used_are_errors() {
    let pdp = pdp();
    assert!(matches!(pdp.principal_json("{").unwrap_err(), cedargate::ProfileError::Malformed(_)));
    let mut profile = frontend();
    profile.bindings.models = Some(vec!["open*ai/x".to_owned()]);
    assert!(matches!(pdp.principal(&profile).unwrap_err(), cedargate::ProfileError::Invalid(_)));
}

fn without_models() -> Bundle {
    let files = Bundle::default_set()
        .files()
        .filter(|(name, _)| *name != "models.cedar")
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect::<Vec<_>>();
    Bundle::from_files(files).unwrap()
}

#[test]
fn a_reload_is_in_force_when_it_returns_and_a_bad_one_leaves_the_last_good() {
    let pdp = pdp();
    let token = pdp.principal(&frontend()).unwrap();
    assert!(!pdp.decide(&token, &chat("o3"), at()).is_allow());
    let before = pdp.info().digest().to_owned();
    let report = pdp.reload_blocking(without_models()).unwrap();
    assert!(report.changed() && report.previous == before);
    assert!(pdp.decide(&token, &chat("o3"), at()).is_allow());
    let good = Bundle::default_set();
    let bad = good.files().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let bad = Bundle::from_files(bad.chain([("zz.cedar".to_owned(), "permit(".to_owned())])).unwrap();
    let LoadError::Refused(diagnostics) = pdp.reload_blocking(bad).unwrap_err() else { panic!("not refused") };
    assert!(diagnostics.to_string().contains("zz.cedar"), "{diagnostics}");
    assert!(pdp.decide(&token, &chat("o3"), at()).is_allow());
    assert_eq!(pdp.info().digest(), report.digest);
    let metrics = pdp.metrics();
    assert_eq!((metrics.reloads, metrics.reload_failures), (1, 1));
    assert!(metrics.to_prometheus().contains("cedargate_reloads_total{result=\"refused\"} 1"));
}

#[test]
fn a_reload_is_a_future_without_a_runtime() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let pdp = pdp();
    let mut future = pin!(pdp.reload(without_models()));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let report = loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(report) => break report,
            Poll::Pending => thread::park(),
        }
    };
    assert!(report.unwrap().changed());
}

#[test]
fn many_threads_share_few_instances() {
    let pdp = Pdp::builder().deadline(Duration::from_secs(20)).instances_max(2).build().unwrap();
    let token = pdp.principal(&frontend()).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert!(pdp.decide(&token, &chat("gpt-4o"), at()).is_allow())));
        }
    });
    let instances = pdp.metrics().instances;
    assert_eq!(instances.busy, 0);
    assert!(instances.idle + instances.making <= 2, "{instances:?}");
}

#[test]
fn too_little_memory_refuses_the_first_set() {
    // A set of its own: one that was loaded before is kept, and takes no such memory.
    let default = Bundle::default_set();
    let files = default.files().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let own = ("own.cedar".to_owned(), "@id(\"own\")\npermit (principal, action, resource);".to_owned());
    let bundle = Bundle::from_files(files.chain([own])).unwrap();
    let error = Pdp::builder().bundle(bundle).load_memory_bytes(2 << 20).build().err().unwrap();
    assert!(error.to_string().contains("memory"), "{error}");
}

#[test]
fn an_observer_sees_decisions_and_reloads() {
    #[derive(Default)]
    struct Log {
        decisions: Mutex<Vec<String>>,
        reloads: AtomicUsize,
    }
    impl Observer for Log {
        fn decided(&self, event: &DecisionEvent<'_>) {
            self.decisions.lock().unwrap().push(format!("{} {}", event.principal.id(), event.decision.status()));
        }

        fn reloaded(&self, result: Result<&ReloadReport, &LoadError>) {
            assert!(result.is_ok());
            self.reloads.fetch_add(1, Ordering::Relaxed);
        }
    }
    let log = Arc::new(Log::default());
    let pdp = Pdp::builder().deadline(Duration::from_secs(5)).observer(log.clone()).build().unwrap();
    let token = pdp.principal(&frontend()).unwrap();
    let _ = pdp.decide(&token, &chat("o3"), at());
    let _ = pdp.decide_many(&token, &[chat("gpt-4o")], at());
    pdp.reload_blocking(Bundle::default_set()).unwrap();
    assert_eq!(*log.decisions.lock().unwrap(), ["tok_frontend 403", "tok_frontend 200"]);
    assert_eq!(log.reloads.load(Ordering::Relaxed), 1);
}

#[test]
fn a_bundle_without_policies_is_refused() {
    let schema = ("schema.cedarschema".to_owned(), String::new());
    assert!(matches!(Bundle::from_files([schema]).unwrap_err(), BundleError::NoPolicy));
}
