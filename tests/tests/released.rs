//! The default bundle as it was released with version 0.1.0 of the contract, in this component: what it says of tokens has
//! no decision, since its rules cannot tell one from another, and everything else is decided as then.

use cedargate_tests::corpus::{self, Case};
use cedargate_tests::plugin::{Compiled, Instance, LoadError};
use cedargate_tests::released::{TOKEN_ACTIONS, is_undecided};
use serde_json::{Value, json};
use wasmtime::component::ResourceAny;

const AT: i64 = 1_776_948_300_000;

fn released() -> String {
    corpus::bundle_of(&[corpus::released()])
}

fn warnings(instance: &mut Instance, set: ResourceAny) -> Vec<String> {
    let info: Value = serde_json::from_str(&instance.info(set).unwrap()).unwrap();
    let warnings = info["warnings"].as_array().unwrap();
    assert_eq!(info["warning_count"], warnings.len());
    warnings.iter().map(Value::to_string).collect()
}

fn decided(instance: &mut Instance, set: ResourceAny, profile: &str, at: i64, request: &str) -> Value {
    let principal = instance.prepare(set, profile).unwrap().unwrap();
    let text = instance.decide_text(principal, at, request, "").unwrap();
    instance.drop(principal).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn is_undecided_now(decision: &Value) -> bool {
    let seen = (&decision["decision"], &decision["status"], &decision["code"], &decision["policies"]);
    seen == (&json!("deny"), &json!(503), &json!("policy_unavailable"), &json!([]))
}

fn is_as_then(case: &Case, decision: &Value) -> bool {
    let expect = case.expect.as_ref().unwrap();
    let policies = expect.policies.clone().map(|mut ids| {
        ids.sort();
        json!(ids)
    });
    decision["decision"] == expect.decision.as_str()
        && expect.status.is_none_or(|status| decision["status"] == status)
        && expect.code.as_deref().is_none_or(|code| decision["code"] == code)
        && policies.is_none_or(|policies| decision["policies"] == policies)
}

#[test]
fn it_loads_with_one_warning_that_names_the_lines_to_add() {
    let mut instance = Compiled::shared_instance().unwrap();
    let set = instance.loaded(&released()).unwrap();
    let warnings = warnings(&mut instance, set);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for named in ["schema.cedarschema", "current?: Target", "models_outside: Set<String>", "minting.cedar"] {
        assert!(warnings[0].contains(named), "no `{named}` in {}", warnings[0]);
    }
    for action in TOKEN_ACTIONS {
        assert!(warnings[0].contains(&format!("`{action}`")), "no `{action}` in {}", warnings[0]);
    }
}

#[test]
fn it_decides_as_then_but_not_about_tokens() {
    let mut instance = Compiled::shared_instance().unwrap();
    let set = instance.loaded(&released()).unwrap();
    let (mut then, mut undecided) = (0, 0);
    for case in corpus::case_files_in(&corpus::released()).iter().flat_map(|file| corpus::cases(file)) {
        let (profile, at) = (case.principal.get(), corpus::millis(&case.at));
        let decision = decided(&mut instance, set, profile, at, case.request.get());
        if is_undecided(&case) {
            undecided += 1;
            assert!(is_undecided_now(&decision), "{}: {decision}", case.id);
        } else {
            then += 1;
            assert!(is_as_then(&case, &decision), "{}: {decision}", case.id);
        }
    }
    assert!(then > 500 && undecided > 200, "{then} decided as then, {undecided} not decided");
}

#[test]
fn it_decides_nothing_about_a_token_that_is_handed_over() {
    let mut instance = Compiled::shared_instance().unwrap();
    let set = instance.loaded(&released()).unwrap();
    let admin = r#"{"id":"usr_ann","purpose":"console","principal_type":"user","status":"active","roles":["admin"]}"#;
    let revoked = admin.replace("active", "revoked");
    let token = json!({"id": "tok_web", "purpose": "general", "principal_type": "api_token"});
    for (action, profile) in TOKEN_ACTIONS.iter().flat_map(|action| [(action, admin), (action, &*revoked)]) {
        for request in [
            json!({"action": action}),
            json!({"action": action, "current": {}}),
            json!({"action": action, "current": token}),
            json!({"action": action, "target": token}),
            json!({"action": action, "current": token, "target": token}),
        ] {
            let decision = decided(&mut instance, set, profile, AT, &request.to_string());
            assert!(is_undecided_now(&decision), "{request}: {decision}");
        }
    }
}

/// A bundle with the default schema, changed, and policies that admit everything.
fn admitting(from: &str, to: &str) -> String {
    let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    let schema = bundle["schema"]["text"].as_str().unwrap();
    assert_eq!(schema.matches(from).count(), 1, "{from}");
    bundle["schema"]["text"] = json!(schema.replace(from, to));
    let all = "@id(\"all\")\npermit (principal, action, resource);\n";
    bundle["policies"] = json!([{"name": "all.cedar", "text": all}]);
    bundle.to_string()
}

#[test]
fn facts_of_a_wrong_type_are_refused() {
    let mut instance = Compiled::shared_instance().unwrap();
    for (from, to) in [
        ("current?: Target,", "current?: String,"),
        ("current?: Target,", "current?: Set<Target>,"),
        ("current?: Target,", "current?: Organization,"),
        ("current?: Target,", "current?: { id?: String },"),
        ("current?: Target,", "current: Target,"),
        ("target?: Target,", "target?: Bool,"),
        ("models_outside: Set<String>,", "models_outside: Set<Model>,"),
        ("models_outside: Set<String>,", "models_outside: String,"),
        ("providers_outside: Set<String>,", "providers_outside: Set<Provider>,"),
        ("networks_outside: Set<String>,", "networks_outside: Set<ipaddr>,"),
        ("budgets_outside: Set<String>,", "budgets_outside: Long,"),
    ] {
        match instance.load(&admitting(from, to)).unwrap() {
            Err(LoadError::Refused(report)) => {
                let report: Value = serde_json::from_str(&report).unwrap();
                let about_facts = |found: &Value| found["code"] == "facts" && found["severity"] == "error";
                assert!(report["diagnostics"].as_array().unwrap().iter().any(about_facts), "{to}: {report}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn rules_that_never_look_at_the_token_are_warned_of() {
    let mut instance = Compiled::shared_instance().unwrap();
    let set = instance.loaded(&admitting("current?: Target,", "current?: Target, // as it is")).unwrap();
    let found = warnings(&mut instance, set);
    assert_eq!(found.len(), 1, "{found:?}");
    for named in ["context.current", "`tokens.rotate`", "`tokens.edit`", "`tokens.list`"] {
        assert!(found[0].contains(named), "no `{named}` in {}", found[0]);
    }
    // Reading it once for an action is enough for that action.
    let mut bundle: Value =
        serde_json::from_str(&admitting("current?: Target,", "current?: Target, // as it is")).unwrap();
    let rule = "@id(\"known\")\nforbid (principal, action, resource) unless { context has current };\n";
    bundle["policies"].as_array_mut().unwrap().push(json!({"name": "known.cedar", "text": rule}));
    let set = instance.loaded(&bundle.to_string()).unwrap();
    assert_eq!(warnings(&mut instance, set), [""; 0]);
}
