//! The compiled form, the index and what is remembered, against Cedar's own evaluation of every policy.
//!
//! The ordinary run makes 20,000 comparisons. The long run takes the number from the environment:
//! `CEDARGATE_CASES=1000000 cargo test --release --workspace --test fast`.

use cedargate_guest::{Decision, InputError, LoadError, PolicySet, Principal, decide, decide_plainly, image, restore};
use cedargate_tests::rulebook::{Rulebook, other_counters, rulebook};
use std::rc::Rc;

const CASES: u64 = 20_000;

/// At least this part of the comparisons must meet a policy that errs, or they say little.
const ERRING_PERCENT_MIN: u64 = 20;

/// How often a request is asked: afresh, remembered, and after its principal's rules were looked at. Twice at each
/// time, with counters and without, so that either finds what the other left behind.
const ROUNDS: u64 = 6;

fn cases() -> u64 {
    std::env::var("CEDARGATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES)
}

type Decided = Result<Decision, InputError>;

/// The outcome, the deciding policy, the determining policies and the errors.
type Seen<'d> = (u32, Option<u32>, &'d [u32], &'d [u32]);

/// Everything of a decision but the words of its errors, and how long it holds, which only the fast one says.
fn seen(decided: &Decided) -> Result<Seen<'_>, &InputError> {
    decided.as_ref().map(|d| (d.outcome as u32, d.deciding, d.policies.as_slice(), d.errors.as_slice()))
}

fn load(book: &Rulebook, seed: u64) -> Rc<PolicySet> {
    match cedargate_guest::load(&book.bundle) {
        Ok(set) => Rc::new(set),
        Err(LoadError::Refused(report)) => panic!("seed {seed}: {:#?}", report.diagnostics),
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

#[test]
fn the_fast_path_decides_as_cedar_does() {
    let (mut compared, mut erring, mut allowed, mut seed, mut plain) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    while compared < cases() {
        let book = rulebook(seed);
        let loaded = load(&book, seed);
        // Every other set is one that was restored from an image.
        let set = if seed % 2 == 0 { Rc::clone(&loaded) } else { Rc::new(restore(&image(&loaded)).unwrap()) };
        plain += u64::from(!set.compiled);
        for profile in &book.profiles {
            let principal = Principal::prepare(Rc::clone(&set), profile).unwrap();
            let judge = Principal::prepare(Rc::clone(&loaded), profile).unwrap();
            for round in 0..ROUNDS {
                for (n, (request, counters)) in book.requests.iter().enumerate() {
                    let at = book.times[(n + round as usize / 2) % book.times.len()] + round as i64 % 2;
                    let counters = match (round + n as u64) % 3 {
                        _ if counters.is_empty() => String::new(),
                        0 => counters.clone(),
                        1 => other_counters(compared),
                        _ => String::new(),
                    };
                    let fast = decide(&principal, at, request, &counters);
                    let slow = decide_plainly(&judge, at, request, &counters);
                    assert_eq!(
                        seen(&fast),
                        seen(&slow),
                        "seed {seed}, round {round}, at {at}:\n{profile}\n{request}\n{counters}"
                    );
                    compared += 1;
                    if let Ok(decision) = &slow {
                        erring += u64::from(!decision.errors.is_empty());
                        allowed += u64::from(decision.is_allow());
                    }
                }
            }
        }
        seed += 1;
    }
    eprintln!(
        "{compared} comparisons over {seed} sets: {erring} met an error, {allowed} were allowed, {plain} sets had no compiled form"
    );
    assert!(erring * 100 >= compared * ERRING_PERCENT_MIN, "only {erring} of {compared} met an error");
    assert!(allowed * 20 >= compared, "only {allowed} of {compared} were allowed");
    assert_eq!(plain, 0, "every policy of these sets has a compiled form");
}
