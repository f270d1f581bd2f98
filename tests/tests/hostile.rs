//! Hostile components: what they are asked is denied, with the code of the cause, and the next request is served.

use cedargate::model::{Profile, Request, Timestamp};
use cedargate::{BuildError, Bundle, CodeCache, Component, EngineError, LoadError, Pdp, PdpBuilder, ProfileError};
use cedargate_tests::hostile;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Long enough to restore a set on any machine.
const DEADLINE: Duration = Duration::from_millis(500);

/// For what only ends a test on a machine that is far too busy.
const LONG: Duration = Duration::from_secs(600);

/// Little, so that growth ends soon; more than the huge reply.
const MEMORY_BYTES: usize = 128 << 20;

/// A stack that a thread of a proxy may have.
const SMALL_STACK_BYTES: usize = 512 << 10;

/// What a host says of each component.
const CODES: [(&str, &str); 9] = [
    ("contradiction", "policy_reply"),
    ("deep-recursion", "policy_stack"),
    ("endless-loop", "policy_timeout"),
    ("huge-reply", "policy_reply"),
    ("memory-growth", "policy_memory"),
    ("no-such-case", "policy_reply"),
    ("not-utf-8", "policy_reply"),
    ("out-of-bounds", "policy_reply"),
    ("trap", "policy_trap"),
];

fn builder(component: Vec<u8>) -> PdpBuilder {
    Pdp::builder()
        .component(Component::from_bytes(component))
        .cache_dir(CodeCache::disabled())
        .deadline(DEADLINE)
        .wall_deadline(LONG)
        .queue_deadline(LONG)
        .prepare_deadline(DEADLINE)
        .load_deadline(DEADLINE)
        .memory_bytes(MEMORY_BYTES)
        .load_memory_bytes(MEMORY_BYTES)
}

fn pdp(name: &str) -> Pdp {
    builder(hostile::component(name).unwrap()).build().unwrap()
}

/// The default bundle with a word in one of its policy files: `EVIL` misbehaves while it is loaded, `LATE` while it is
/// restored.
fn bundle(word: &str) -> Bundle {
    let files = Bundle::default_set();
    let files = files.files().map(|(name, text)| (name.to_owned(), text.to_owned()));
    Bundle::from_files(files.chain([("word.cedar".to_owned(), format!("// {word}\n"))])).unwrap()
}

fn served(pdp: &Pdp) {
    let principal = pdp.principal(&Profile::general("tok_good")).unwrap();
    let decision = pdp.decide(&principal, &Request::new("models.list"), Timestamp::now());
    assert!(decision.is_allow(), "{decision:?}");
}

fn deciding(name: &str, code: &str) {
    let pdp = pdp(name);
    let evil = Request::new("EVIL");
    for token in ["tok_one", "tok_two", "tok_one", "tok_one"] {
        let principal = pdp.principal(&Profile::general(token)).unwrap();
        let decision = pdp.decide(&principal, &evil, Timestamp::now());
        assert_eq!((decision.status(), decision.code()), (503, Some(code)), "{name}: {decision:?}");
        served(&pdp);
    }
}

fn deciding_many(name: &str, code: &str) {
    let pdp = pdp(name);
    let principal = pdp.principal(&Profile::general("tok_many")).unwrap();
    let requests = [Request::new("models.list"), Request::new("EVIL"), Request::new("models.list")];
    let decisions = pdp.decide_many(&principal, &requests, Timestamp::now());
    let codes: Vec<_> = decisions.iter().map(|decision| (decision.status(), decision.code())).collect();
    assert_eq!(codes, [(200, None), (503, Some(code)), (200, None)], "{name}");
    served(&pdp);
}

fn preparing(name: &str, code: &str) {
    let pdp = pdp(name);
    match pdp.principal(&Profile::general("EVIL")) {
        Err(ProfileError::Fault { fault, .. }) => assert_eq!(fault.code(), code, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
    served(&pdp);
}

fn loading(name: &str, code: &str, word: &str) {
    let pdp = pdp(name);
    let digest = pdp.info().digest().to_owned();
    match pdp.reload_blocking(bundle(word)) {
        Err(LoadError::Fault { fault, .. }) => assert_eq!(fault.code(), code, "{name}"),
        other => panic!("{name}: {other:?}"),
    }
    assert_eq!(pdp.info().digest(), digest, "{name}");
    served(&pdp);
    match builder(hostile::component(name).unwrap()).bundle(bundle(word)).build() {
        Err(BuildError::Load(LoadError::Fault { fault, .. })) => assert_eq!(fault.code(), code, "{name}"),
        Err(other) => panic!("{name}: {other:?}"),
        Ok(_) => panic!("{name}: it was built"),
    }
}

fn with_small_stack(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(SMALL_STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

#[test]
fn every_hostile_component_is_listed() {
    assert_eq!(CODES.map(|(name, _)| name), hostile::NAMES);
}

#[test]
fn a_request_that_kills_is_denied_and_the_next_is_served() {
    CODES.into_iter().for_each(|(name, code)| deciding(name, code));
}

#[test]
fn a_request_that_kills_takes_none_of_its_batch_along() {
    CODES.into_iter().for_each(|(name, code)| deciding_many(name, code));
}

#[test]
fn a_profile_that_kills_is_refused_and_the_next_is_served() {
    CODES.into_iter().for_each(|(name, code)| preparing(name, code));
}

#[test]
fn a_bundle_that_kills_leaves_the_set_in_force() {
    CODES.into_iter().for_each(|(name, code)| loading(name, code, "EVIL"));
}

#[test]
fn an_image_that_kills_leaves_the_set_in_force() {
    CODES.into_iter().for_each(|(name, code)| loading(name, code, "LATE"));
}

#[test]
fn a_small_stack_changes_nothing() {
    for (name, code) in CODES {
        with_small_stack(move || {
            deciding(name, code);
            deciding_many(name, code);
            preparing(name, code);
            loading(name, code, "EVIL");
        });
    }
}

/// Uses every processor for as long as it lives, several times over.
struct Neighbours(Arc<AtomicBool>);

impl Neighbours {
    fn start() -> Self {
        let stay = Arc::new(AtomicBool::new(true));
        let processors = thread::available_parallelism().unwrap().get();
        for _ in 0..processors * 4 {
            let stay = Arc::clone(&stay);
            thread::spawn(move || {
                while stay.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stay)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_loop_ends_by_the_time_it_computes_whatever_the_neighbours_do() {
    let component = hostile::component("endless-loop").unwrap();
    // Neither the wall nor the queue ends it: only what it computes.
    let pdp = builder(component).deadline(Duration::from_millis(10)).wall_deadline(LONG).build().unwrap();
    let _neighbours = Neighbours::start();
    for token in ["tok_one", "tok_two"] {
        let principal = pdp.principal(&Profile::general(token)).unwrap();
        let decision = pdp.decide(&principal, &Request::new("EVIL"), Timestamp::now());
        assert_eq!((decision.status(), decision.code()), (503, Some("policy_timeout")), "{decision:?}");
        served(&pdp);
    }
}

#[test]
fn another_contract_is_refused_when_the_point_is_built() {
    for component in [hostile::of_another_version(), hostile::without_a_function()] {
        match builder(component.unwrap()).build() {
            Err(BuildError::Engine(EngineError::Contract { .. })) => {}
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was built"),
        }
    }
    match builder(hostile::that_claims_another_version().unwrap()).build() {
        Err(BuildError::Load(LoadError::Contract { cause })) => assert!(cause.contains("`0.2.0`"), "{cause}"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was built"),
    }
}
