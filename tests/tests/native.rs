//! The cases beside the policies, decided natively.

use cedargate_guest::{decide::decide, load, principal::Principal, text};
use cedargate_tests::corpus::{self, Case};
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;

fn run(files: &[std::path::PathBuf], overlay: Option<&Path>) {
    let set = match load::load(&corpus::bundle(overlay)) {
        Ok(set) => Rc::new(set),
        Err(load::LoadError::Refused(report)) => panic!("{}", serde_json::to_string_pretty(&report).unwrap()),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(set.warnings().count, 0, "{:?}", set.warnings());
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files {
        for case in corpus::cases(file) {
            count += 1;
            wrong.extend(mismatch(&set, &case).map(|why| format!("{}: {}: {why}", file.display(), case.id)));
        }
    }
    assert!(count > 0, "no case was read");
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn mismatch(set: &Rc<cedargate_guest::set::PolicySet>, case: &Case) -> Option<String> {
    let expect = case.expect.as_ref()?;
    let at = corpus::millis(&case.at);
    let principal = match Principal::prepare(Rc::clone(set), case.principal.get()) {
        Ok(principal) => principal,
        Err(error) => return Some(format!("not prepared: {error}")),
    };
    let decided = text::text(set, at, &decide(&principal, at, case.request.get(), ""));
    let came: Value = serde_json::from_str(&decided).unwrap();
    let policies = expect.policies.as_ref().map(|ids| {
        let mut ids = ids.clone();
        ids.sort();
        Value::from(ids)
    });
    let same = came["decision"] == expect.decision.as_str()
        && expect.status.is_none_or(|status| came["status"] == status)
        && expect.code.as_deref().is_none_or(|code| came["code"] == code)
        && policies.is_none_or(|policies| came["policies"] == policies);
    (!same).then(|| format!("expected {expect:?}, came {decided}"))
}

#[test]
fn the_cases_beside_the_policies_hold() {
    run(&corpus::case_files(), None);
}

#[test]
fn the_cases_of_overlaid_bundles_hold() {
    for entry in std::fs::read_dir(corpus::root().join("tests/bundles")).unwrap() {
        let folder = entry.unwrap().path();
        run(&[folder.join("cases.jsonl")], Some(&folder));
    }
}

#[test]
fn the_record_of_a_day_is_decided_as_its_oracle_says() {
    run(&[corpus::root().join("tests/records/day.jsonl")], None);
}
