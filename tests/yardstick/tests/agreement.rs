//! Plain Cedar and the component agree, on generated sets and on the records of a day.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cedargate::model::{Profile, Record, Request};
use cedargate::{Bundle, Outcome, Pdp, Principal};
use cedargate_yardstick::native::Base;
use cedargate_yardstick::prepare::prepare;
use cedargate_yardstick::sets::GeneratedSet;
use cedargate_yardstick::traffic::Traffic;
use cedargate_yardstick::verdict::{Verdict, native};

fn build(bundle: Bundle) -> (Pdp, Base) {
    let pdp = Pdp::builder().bundle(bundle.clone()).deadline(Duration::from_secs(10)).build();
    (pdp.unwrap_or_else(|error| panic!("{error}")), prepare(&bundle).unwrap())
}

/// Asks about requests of generated principals, and counts the outcomes.
fn compare(
    pdp: &Pdp,
    base: &Base,
    mut traffic: Traffic,
    principals: usize,
    requests: usize,
) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for _ in 0..principals {
        let profile = traffic.profile();
        let principal = pdp.principal(&profile).unwrap();
        for _ in 0..requests {
            let (request, at) = (traffic.request(&profile), traffic.moment());
            let decided = Verdict::from(&pdp.decide(&principal, &request, at));
            assert_eq!(decided, native(base, &profile, &request, at).unwrap(), "{at}: {profile:?} {request:?}");
            *outcomes.entry(decided.outcome.name().to_owned()).or_default() += 1;
        }
    }
    outcomes
}

#[test]
fn plain_cedar_agrees_on_generated_sets() {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (policies, requests) in [(10, 40), (100, 40), (1_000, 10)] {
        let set = GeneratedSet::new(policies, 7);
        let (pdp, base) = build(set.bundle().unwrap());
        assert_eq!(base.policies(), policies);
        let found = compare(&pdp, &base, Traffic::generated(&set, 11), 20, requests);
        // Of both, or equality would say little.
        assert!(found.contains_key("allowed") && found.contains_key("forbidden"), "{policies}: {found:?}");
        for (outcome, count) in found {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    for outcome in ["unauthenticated", "throttled"] {
        assert!(outcomes.contains_key(outcome), "{outcomes:?}");
    }
}

#[test]
fn plain_cedar_agrees_on_the_default_set() {
    let (pdp, base) = build(Bundle::default_set());
    let outcomes = compare(&pdp, &base, Traffic::default_set(3), 20, 40);
    assert!(outcomes.get("allowed").is_some_and(|allowed| *allowed >= 400), "{outcomes:?}");
    assert!(outcomes.len() >= 3, "{outcomes:?}");
}

#[test]
fn plain_cedar_agrees_about_tokens() {
    let (pdp, base) = build(Bundle::default_set());
    let outcomes = compare(&pdp, &base, Traffic::tokens(5), 60, 40);
    for outcome in ["allowed", "forbidden"] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count >= 400), "{outcomes:?}");
    }
}

/// Asks about every record of a file that plain Cedar can be asked about, and says of how many.
fn compare_records(pdp: &Pdp, base: &Base, file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap();
    let mut principals: BTreeMap<String, (Principal, Profile)> = BTreeMap::new();
    let mut compared = 0;
    for line in text.lines() {
        let record = Record::from_line(line).unwrap();
        let (principal, profile) = principals
            .entry(record.principal().to_owned())
            .or_insert_with_key(|text| (pdp.principal_json(text).unwrap(), serde_json::from_str(text).unwrap()));
        let Ok(request) = serde_json::from_str::<Request>(record.request()) else { continue };
        let decided = Verdict::from(&pdp.decide(principal, &request, record.at()));
        // Plain Cedar checks no ids.
        if decided.outcome != Outcome::RequestInvalid {
            assert_eq!(decided, native(base, profile, &request, record.at()).unwrap(), "{line}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn plain_cedar_agrees_on_the_records_of_a_day() {
    let (pdp, base) = build(Bundle::default_set());
    let day = Path::new(env!("CARGO_MANIFEST_DIR")).join("../records/day.jsonl");
    assert!(compare_records(&pdp, &base, &day) > 3_900);
}

#[test]
fn plain_cedar_agrees_on_the_cases_beside_the_policies() {
    let (pdp, base) = build(Bundle::default_set());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().ends_with(".cases.jsonl"));
    let compared: usize = files.map(|file| compare_records(&pdp, &base, &file)).sum();
    assert!(compared > 1_600, "only {compared} were compared");
}
