//! What an instance did before changes nothing of what it says.

use cedargate_tests::corpus::{self, Case};
use cedargate_tests::plugin::{Compiled, Instance, LoadError};
use serde_json::{Value, json};
use wasmtime::component::ResourceAny;

/// Everything that an instance says about the default bundle, a broken one and the cases, in the order of the cases.
struct Said {
    texts: Vec<String>,
}

/// What an instance did before, and how it comes to its set.
#[derive(Clone, Copy, Debug)]
enum History {
    Fresh,
    ManyLoads,
    OtherBundlesFirst,
    Restored,
    CasesBackwards,
    PrincipalsKept,
    TwiceOver,
    RefusalsFirst,
}

const HISTORIES: [History; 8] = [
    History::Fresh,
    History::ManyLoads,
    History::OtherBundlesFirst,
    History::Restored,
    History::CasesBackwards,
    History::PrincipalsKept,
    History::TwiceOver,
    History::RefusalsFirst,
];

fn broken() -> String {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    let wrong = (0..40).map(|n| {
        let text = format!(
            "@id(\"w-{n}\")\npermit (principal, action, resource) when {{ principal.nothing{n} || context.n{n} == 1 }};"
        );
        json!({"name": format!("wrong-{}.cedar", n % 7 * 10 + n), "text": text})
    });
    bundle["policies"].as_array_mut().unwrap().extend(wrong);
    bundle.to_string()
}

/// A bundle that loads with warnings.
fn warned() -> String {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    let idle = (0..20).map(|n| {
        let text = format!(
            "@id(\"idle-{n}\") forbid (principal, action, resource) when {{ false && principal.name == \"{n}\" }};"
        );
        json!({"name": format!("idle-{n}.cedar"), "text": text})
    });
    bundle["policies"].as_array_mut().unwrap().extend(idle);
    bundle.to_string()
}

fn diagnostics(instance: &mut Instance) -> String {
    match instance.load(&broken()).unwrap() {
        Err(LoadError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn decide(instance: &mut Instance, set: ResourceAny, case: &Case) -> String {
    let principal = instance.prepare(set, case.principal.get()).unwrap().unwrap();
    let at = corpus::millis(&case.at);
    let text = instance.decide_text(principal, at, case.request.get(), "").unwrap();
    let numbers = instance.decide(principal, at, case.request.get(), "").unwrap();
    instance.drop(principal).unwrap();
    format!("{text} {numbers:?}")
}

fn say(compiled: &Compiled, history: History, cases: &[Case]) -> Said {
    let mut instance = compiled.instance().unwrap();
    let bundle = corpus::bundle(None);
    let overlays = ["teams", "teams-closed"].map(|name| corpus::root().join("tests/bundles").join(name));
    let set = match history {
        History::ManyLoads => {
            let sets: Vec<_> = (0..3).map(|_| instance.loaded(&bundle).unwrap()).collect();
            sets[..2].iter().for_each(|set| instance.drop(*set).unwrap());
            sets[2]
        }
        History::OtherBundlesFirst => {
            for overlay in &overlays {
                let other = instance.loaded(&corpus::bundle(Some(overlay))).unwrap();
                cases.iter().take(50).for_each(|case| drop(decide(&mut instance, other, case)));
            }
            instance.loaded(&bundle).unwrap()
        }
        History::Restored => {
            let mut maker = compiled.instance().unwrap();
            let made = maker.loaded(&bundle).unwrap();
            let image = maker.image(made).unwrap();
            instance.restore(&image).unwrap().unwrap()
        }
        History::RefusalsFirst => {
            (0..3).for_each(|_| drop(diagnostics(&mut instance)));
            instance.loaded(&bundle).unwrap()
        }
        _ => instance.loaded(&bundle).unwrap(),
    };
    if matches!(history, History::PrincipalsKept) {
        cases.iter().rev().for_each(|case| {
            instance.prepare(set, case.principal.get()).unwrap().unwrap();
        });
    }
    if matches!(history, History::TwiceOver) {
        cases.iter().for_each(|case| drop(decide(&mut instance, set, case)));
    }
    let mut texts: Vec<String> = if matches!(history, History::CasesBackwards) {
        let backwards: Vec<_> = cases.iter().rev().map(|case| decide(&mut instance, set, case)).collect();
        backwards.into_iter().rev().collect()
    } else {
        cases.iter().map(|case| decide(&mut instance, set, case)).collect()
    };
    texts.push(instance.info(set).unwrap());
    texts.push(diagnostics(&mut instance));
    let warned = instance.loaded(&warned()).unwrap();
    texts.push(instance.info(warned).unwrap());
    Said { texts }
}

#[test]
fn instances_with_different_histories_say_the_same() {
    let compiled = Compiled::new().unwrap();
    let cases: Vec<Case> = corpus::case_files().iter().flat_map(|file| corpus::cases(file)).collect();
    let first = say(&compiled, History::Fresh, &cases);
    assert!(first.texts.len() > 900, "only {} texts", first.texts.len());
    for history in HISTORIES {
        let other = say(&compiled, history, &cases);
        let differing = first.texts.iter().zip(&other.texts).position(|(one, other)| one != other);
        if let Some(at) = differing {
            panic!("{history:?} differs at {at}:\n{}\n{}", first.texts[at], other.texts[at]);
        }
        assert_eq!(first.texts.len(), other.texts.len(), "{history:?}");
    }
}
