//! The order of outcomes: for every combination of what policies of each class may say, the decision is the one that the
//! contract fixes.

use cedargate_tests::corpus;
use cedargate_tests::plugin::{Compiled, Decision, Instance};
use serde_json::{Value, json};
use wasmtime::component::ResourceAny;

const AT: i64 = 1_776_948_300_000;

/// Each policy is satisfied, or errs, where the principal has the role of its class. Two of each class of denial: the
/// smaller id gives status, code and message.
const POLICIES: &str = r#"
@id("allowed-b") permit (principal in Role::"allowed", action, resource);
@id("allowed-a") permit (principal in Role::"allowed", action, resource);

@id("unauthenticated-b") @status("401") @code("second") @message("Second.")
forbid (principal in Role::"unauthenticated", action, resource);
@id("unauthenticated-a") @status("401") @code("first") @message("First.")
forbid (principal in Role::"unauthenticated", action, resource);

@id("erring-b") @status("401") @code("erring")
forbid (principal in Role::"erring", action, resource)
when { context.at.offset(duration("106751991167d")).offset(duration("106751991167d")) > context.at };
@id("erring-a")
permit (principal in Role::"erring", action, resource)
when { context.at.offset(duration("106751991167d")).offset(duration("106751991167d")) > context.at };

@id("forbidden-b") @status("403") @code("second")
forbid (principal in Role::"forbidden", action, resource);
@id("forbidden-a") forbid (principal in Role::"forbidden", action, resource);

@id("throttled-b") @status("429") @code("second")
forbid (principal in Role::"throttled", action, resource);
@id("throttled-a") @status("429") forbid (principal in Role::"throttled", action, resource);
"#;

const CLASSES: [&str; 5] = ["unauthenticated", "erring", "forbidden", "allowed", "throttled"];

/// What the contract says where these classes speak: outcome, status and code.
fn expected(has: impl Fn(&str) -> bool) -> (&'static str, u16, Option<&'static str>) {
    if has("unauthenticated") {
        ("unauthenticated", 401, Some("first"))
    } else if has("erring") {
        ("policy_error", 503, Some("policy_error"))
    } else if has("forbidden") {
        ("forbidden", 403, Some("policy_denied"))
    } else if !has("allowed") {
        ("not_permitted", 403, Some("action_not_allowed"))
    } else if has("throttled") {
        ("throttled", 429, Some("policy_denied"))
    } else {
        ("allowed", 200, None)
    }
}

fn ids(classes: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = classes.iter().flat_map(|class| [format!("{class}-a"), format!("{class}-b")]).collect();
    ids.sort();
    ids
}

/// The same decision, with the names that its numbers stand for.
fn named(info: &Value, decision: &Decision) -> (Value, u32, Vec<Value>, Vec<Value>) {
    let policy = |at: &u32| info["policies"][*at as usize]["id"].clone();
    let outcome = info["outcomes"][decision.outcome as usize]["name"].clone();
    let ids = |list: &[u32]| list.iter().map(policy).collect();
    (outcome, decision.effect, ids(&decision.policies), ids(&decision.errors))
}

fn check(instance: &mut Instance, set: ResourceAny, info: &Value, roles: &[&str]) {
    let has = |class: &str| roles.contains(&class);
    let profile =
        json!({"id": "t", "purpose": "console", "principal_type": "user", "status": "active", "roles": roles});
    let principal = instance.prepare(set, &profile.to_string()).unwrap().unwrap();
    let request = r#"{"action":"models.list"}"#;
    let came: Value = serde_json::from_str(&instance.decide_text(principal, AT, request, "").unwrap()).unwrap();
    let (outcome, status, code) = expected(has);
    assert_eq!((&came["outcome"], &came["status"]), (&json!(outcome), &json!(status)), "{roles:?}: {came}");
    assert_eq!(came["code"].as_str(), code, "{roles:?}: {came}");
    let determining: Vec<&str> = match outcome {
        "allowed" => vec!["allowed"],
        _ => ["unauthenticated", "forbidden", "throttled"].into_iter().filter(|class| has(class)).collect(),
    };
    assert_eq!(came["policies"], json!(ids(&determining)), "{roles:?}: {came}");
    let erred: Vec<&str> = CLASSES.into_iter().filter(|class| *class == "erring" && has(class)).collect();
    let errors: Vec<Value> = came["errors"].as_array().unwrap().iter().map(|error| error["policy"].clone()).collect();
    assert_eq!(errors, ids(&erred), "{roles:?}: {came}");
    if outcome == "unauthenticated" {
        assert_eq!(came["message"], "First.", "{roles:?}");
    }
    let numbers = instance.decide(principal, AT, request, "").unwrap().unwrap();
    let expected = (json!(outcome), u32::from(status == 200), came["policies"].as_array().unwrap().clone(), errors);
    assert_eq!(named(info, &numbers), expected, "{roles:?}");
    // An error may pass: what erred is asked again.
    assert!(!has("erring") || numbers.until <= AT, "{roles:?}: {numbers:?}");
    instance.drop(principal).unwrap();
}

#[test]
fn every_combination_has_the_outcome_of_the_contract() {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    bundle["policies"] = json!([{"name": "classes.cedar", "text": POLICIES}]);
    let mut instance = Compiled::new().unwrap().instance().unwrap();
    let set = instance.loaded(&bundle.to_string()).unwrap();
    let info: Value = serde_json::from_str(&instance.info(set).unwrap()).unwrap();
    for combination in 0..1_usize << CLASSES.len() {
        let roles: Vec<&str> =
            (0..CLASSES.len()).filter(|bit| combination & (1 << bit) != 0).map(|bit| CLASSES[bit]).collect();
        check(&mut instance, set, &info, &roles);
    }
}
