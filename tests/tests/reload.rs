//! A reload under load: no decision is late, wrong or lost.
//!
//! The ordinary run loads 1,000 policies; `CEDARGATE_SOAK=long` loads 10,000.

use cedargate::model::{Request, Timestamp};
use cedargate::{Bundle, Decision, Pdp, Principal};
use cedargate_yardstick::sets::GeneratedSet;
use cedargate_yardstick::traffic::Traffic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Threads that decide while policies are loaded.
const THREADS: usize = 2;

const PRINCIPALS: usize = 8;

const REQUESTS: usize = 50;

/// Far above what a decision takes, far below what loading takes. Who is late is denied with 503.
const DEADLINE: Duration = Duration::from_millis(500);

struct Case {
    principal: Principal,
    request: Request,
    at: Timestamp,
    /// What each of the two sets says.
    expected: [Seen; 2],
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    policy_set: String,
    status: u16,
    policies: Vec<String>,
}

impl Seen {
    fn of(decision: &Decision) -> Self {
        assert_eq!(decision.fault(), None, "{decision:?}");
        Self {
            policy_set: decision.policy_set().to_owned(),
            status: decision.status(),
            policies: decision.policies().map(str::to_owned).collect(),
        }
    }
}

fn policies() -> usize {
    if std::env::var_os("CEDARGATE_SOAK").is_some_and(|value| value == "long") { 10_000 } else { 1_000 }
}

fn build(bundle: &Bundle) -> Pdp {
    let builder = Pdp::builder().bundle(bundle.clone()).instances_max(THREADS).deadline(DEADLINE);
    let pdp = builder.load_deadline(Duration::from_secs(300)).build().unwrap();
    pdp.warm(THREADS).unwrap();
    pdp
}

#[test]
fn a_reload_under_load_neither_delays_nor_loses_a_decision() {
    let generated = GeneratedSet::new(policies(), 1);
    let first = generated.bundle().unwrap();
    // The same schema and entities, and a rule that admits nobody any more.
    let closed = "@id(\"closed\")\nforbid (principal, action, resource);\n";
    let files = first.files().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let second = Bundle::from_files(files.chain([("closed.cedar".to_owned(), closed.to_owned())])).unwrap();

    let (pdp, other) = (build(&first), build(&second));
    let mut traffic = Traffic::generated(&generated, 3);
    let mut cases = Vec::new();
    for _ in 0..PRINCIPALS {
        let profile = traffic.profile();
        let principal = pdp.principal(&profile).unwrap();
        for _ in 0..REQUESTS {
            let (request, at) = (traffic.request(&profile), traffic.moment());
            let expected = [&pdp, &other].map(|pdp| Seen::of(&pdp.decide(&principal, &request, at)));
            cases.push(Case { principal: principal.clone(), request, at, expected });
        }
    }
    drop(other);

    let (over, decided) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for first in 0..THREADS {
            let (pdp, cases, over, decided) = (&pdp, &cases, &over, &decided);
            scope.spawn(move || {
                for case in cases.iter().cycle().skip(first * PRINCIPALS) {
                    let seen = Seen::of(&pdp.decide(&case.principal, &case.request, case.at));
                    assert!(case.expected.contains(&seen), "{seen:?} is none of {:?}", case.expected);
                    decided.fetch_add(1, Ordering::Relaxed);
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for (bundle, now) in [(&second, 1), (&first, 0), (&second, 1)] {
            let before = decided.load(Ordering::Relaxed);
            let report = pdp.reload_blocking(bundle.clone()).unwrap();
            let during = decided.load(Ordering::Relaxed) - before;
            println!("{} policies loaded in {:?}, {during} decisions meanwhile", policies(), report.elapsed);
            assert!(during > 0, "nothing was decided while policies were loaded");
            // The very next decision uses the new set.
            for case in &cases {
                let seen = Seen::of(&pdp.decide(&case.principal, &case.request, case.at));
                assert_eq!(seen, case.expected[now]);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}
