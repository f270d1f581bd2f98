//! Generated sets are what they are said to be.

use cedargate_yardstick::prepare::prepare;
use cedargate_yardstick::sets::{GeneratedSet, Shape};
use cedargate_yardstick::traffic::Traffic;
use cedargate_yardstick::verdict::find;

#[test]
fn the_shares_are_exact_and_forbids_are_two_of_five() {
    for policies in [10, 37, 100, 1_000, 10_000] {
        let set = GeneratedSet::new(policies, 1);
        let counts = set.counts();
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), policies);
        for (shape, percent) in [
            (Shape::Team, 30),
            (Shape::ModelGroup, 20),
            (Shape::Gateway, 20),
            (Shape::Customer, 10),
            (Shape::TwoSided, 10),
            (Shape::Window, 5),
            (Shape::Unindexable, 5),
        ] {
            let (_, count) = counts.iter().find(|(of, _)| *of == shape).unwrap();
            assert!((count * 100).abs_diff(policies * percent) <= 100, "{policies}: {counts:?}");
        }
        if policies <= 1_000 {
            let base = prepare(&set.bundle().unwrap()).unwrap();
            assert_eq!(base.policies(), policies);
            assert!((base.forbids() * 100).abs_diff(policies * 40) <= 100, "{policies}: {}", base.forbids());
        }
    }
}

#[test]
fn about_eight_policies_apply_to_a_request_at_every_size() {
    for (policies, principals, requests) in [(10, 100, 20), (100, 100, 20), (1_000, 100, 4), (10_000, 60, 1)] {
        let set = GeneratedSet::new(policies, 5);
        let base = prepare(&set.bundle().unwrap()).unwrap();
        let mut traffic = Traffic::generated(&set, 9);
        let mut applied = 0;
        for _ in 0..principals {
            let profile = traffic.profile();
            for _ in 0..requests {
                let (request, at) = (traffic.request(&profile), traffic.moment());
                let findings = find(&base, &profile, &request, at).unwrap();
                assert!(findings.errors.is_empty(), "{findings:?}");
                applied += findings.permits.len() + findings.forbids.len();
            }
        }
        let tenths = applied * 10 / (principals * requests);
        assert!((70..=90).contains(&tenths), "{policies}: {tenths} tenths of a policy");
    }
}

#[test]
fn a_seed_gives_one_set_and_another_seed_another() {
    let texts = |seed: u64| -> Vec<(String, String)> {
        let bundle = GeneratedSet::new(100, seed).bundle().unwrap();
        bundle.files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
    let requests = |seed: u64| {
        let mut traffic = Traffic::generated(&GeneratedSet::new(100, 1), seed);
        let profile = traffic.profile();
        (0..10).map(|_| traffic.request(&profile)).collect::<Vec<_>>()
    };
    assert_eq!(requests(1), requests(1));
    assert_ne!(requests(1), requests(2));
}

#[test]
fn no_request_comes_twice() {
    for mut traffic in [Traffic::generated(&GeneratedSet::new(10, 1), 1), Traffic::default_set(1)] {
        let profile = traffic.profile();
        let mut texts = std::collections::BTreeSet::new();
        for _ in 0..5_000 {
            assert!(texts.insert(serde_json::to_string(&traffic.request(&profile)).unwrap()));
        }
    }
}
