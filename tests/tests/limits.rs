//! The limits that a bundle sets: what is at the limit passes, one more is refused by the error that the contract names.

use cedargate_tests::corpus;
use cedargate_tests::plugin::{AuthorizeError, Compiled, DecideError, Instance, LoadError, PrepareError};
use serde_json::{Value, json};
use wasmtime::component::ResourceAny;

const AT: i64 = 1_776_948_300_000;

/// What every bundle here holds beside the default schema: little, so that it is loaded often.
const POLICY: &str = r#"@id("a") permit (principal, action, resource);"#;

/// A bundle to set limits in.
struct Stage {
    bundle: Value,
}

impl Stage {
    fn new() -> Self {
        let mut bundle: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
        bundle["policies"] = json!([{"name": "a.cedar", "text": POLICY}]);
        Self { bundle }
    }

    fn text(&self, limit: &str, value: usize) -> String {
        let mut bundle = self.bundle.clone();
        bundle["limits"] = json!({limit: value});
        bundle.to_string()
    }

    fn set(&self, limit: &str, value: usize) -> (Instance, ResourceAny) {
        let mut instance = Compiled::shared_instance().unwrap();
        let set = instance.loaded(&self.text(limit, value)).unwrap();
        (instance, set)
    }

    /// The bundle loads where the limit is so high, and is refused by a limit where it is lower.
    fn load(&self, limit: &str, needed: usize) {
        let _ = self.set(limit, needed);
        match Compiled::shared_instance().unwrap().load(&self.text(limit, needed - 1)).unwrap() {
            Err(LoadError::Refused(report)) => {
                let report: Value = serde_json::from_str(&report).unwrap();
                let found = report["diagnostics"].as_array().unwrap();
                assert!(!found.is_empty() && found.iter().all(|one| one["code"] == "limit"), "{limit}: {report}");
            }
            other => panic!("{limit}: {other:?}"),
        }
    }

    /// The profile is prepared where the limit is so high, and invalid where it is lower.
    fn prepare(&self, limit: &str, needed: usize, profile: &Value) {
        let prepare = |value| {
            let (mut instance, set) = self.set(limit, value);
            instance.prepare(set, &profile.to_string()).unwrap()
        };
        prepare(needed).unwrap_or_else(|error| panic!("{limit}: {profile}: {error:?}"));
        match prepare(needed - 1) {
            Err(PrepareError::ProfileInvalid(_)) => {}
            other => panic!("{limit}: {profile}: {other:?}"),
        }
    }

    /// The request is decided where the limit is so high, and invalid where it is lower.
    fn decide(&self, limit: &str, needed: usize, request: &Value, counters: &str) {
        let decide = |value| {
            let (mut instance, set) = self.set(limit, value);
            // So short that no limit of this suite refuses it.
            let profile = r#"{"id":"t","purpose":"","principal_type":"","status":""}"#;
            let principal = instance.prepare(set, profile).unwrap().unwrap();
            instance.decide(principal, AT, &request.to_string(), counters).unwrap()
        };
        decide(needed).unwrap_or_else(|error| panic!("{limit}: {request}: {error:?}"));
        match decide(needed - 1) {
            Err(DecideError::RequestInvalid(_)) => {}
            other => panic!("{limit}: {request}: {other:?}"),
        }
    }
}

fn profile() -> Value {
    json!({"id": "t", "purpose": "general", "principal_type": "api_token", "status": "active"})
}

fn with(mut value: Value, field: &str, more: Value) -> Value {
    value[field] = more;
    value
}

#[test]
fn the_limits_of_a_bundle_hold() {
    let mut stage = Stage::new();
    stage.load("policy_bytes", POLICY.len());
    let second = json!({"name": "b.cedar", "text": POLICY.replace("\"a\"", "\"b\"")});
    stage.bundle["policies"].as_array_mut().unwrap().push(second);
    stage.load("policies", 2);
    let files = stage.bundle["policies"].as_array().unwrap().iter();
    let files = files.chain([&stage.bundle["schema"], &stage.bundle["entities"]]);
    let length = |file: &Value, field: &str| file[field].as_str().unwrap().len();
    stage.load("bundle_bytes", files.map(|file| length(file, "name") + length(file, "text")).sum());
}

#[test]
fn the_limits_of_a_profile_hold() {
    let stage = Stage::new();
    let id = "a_name_that_is_longer_than_general";
    stage.prepare("request_bytes", profile().to_string().len(), &profile());
    for field in ["id", "name", "purpose", "principal_type", "status", "org_id", "team_id"] {
        stage.prepare("id_bytes", id.len(), &with(profile(), field, json!(id)));
    }
    stage.prepare("list_entries", 3, &with(profile(), "roles", json!(["a", "b", "c"])));
    for list in ["providers", "models", "scopes", "networks"] {
        let entries =
            if list == "networks" { json!(["10.0.0.1", "10.0.0.2", "10.0.0.3"]) } else { json!(["a", "b", "c"]) };
        stage.prepare("list_entries", 3, &with(profile(), "bindings", json!({list: entries})));
    }
    for field in ["gateway_id", "consumer_group"] {
        stage.prepare("id_bytes", id.len(), &with(profile(), "bindings", json!({field: id})));
    }
    for list in ["providers", "models", "scopes"] {
        stage.prepare("id_bytes", id.len(), &with(profile(), "bindings", json!({list: [id]})));
    }
}

#[test]
fn the_limits_of_a_request_hold() {
    let mut stage = Stage::new();
    let request = json!({"action": "chat.completions", "model": "m"});
    let counters = r#"{"rate":{"limit":1,"spent":0,"requested":1}}"#;
    let profile = r#"{"id":"t","purpose":"","principal_type":"","status":""}"#;
    let length = request.to_string().len() + counters.len();
    assert!(length > profile.len());
    stage.decide("request_bytes", length, &request, counters);
    let id = "a_name_that_is_longer_than_the_action";
    for field in ["action", "provider", "model", "gateway_id", "team_id", "consumer_group", "org_id"] {
        stage.decide("id_bytes", id.len(), &with(request.clone(), field, json!(id)), "");
    }
    let target = |bindings| with(json!({"action": "tokens.create"}), "target", json!({"bindings": bindings}));
    stage.decide("list_entries", 2, &target(json!({"scopes": ["a", "b"]})), "");
    stage.decide("id_bytes", id.len(), &target(json!({"gateway_id": id})), "");

    let schema = stage.bundle["schema"]["text"].as_str().unwrap();
    let declared = "type Inner = { n?: Long };\ntype RequestAttributes = { inner?: Inner, s?: String };";
    stage.bundle["schema"]["text"] = json!(schema.replace("type RequestAttributes = {};", declared));
    let attributes = json!({"s": "x".repeat(100)});
    stage.decide(
        "attributes_bytes",
        attributes.to_string().len(),
        &with(request.clone(), "attributes", attributes),
        "",
    );
    // The record, its field, and that field's own.
    stage.decide("attributes_depth", 3, &with(request, "attributes", json!({"inner": {"n": 1}})), "");
}

#[test]
fn a_batch_beyond_the_limit_is_malformed_as_a_whole() {
    let (mut instance, set) = Stage::new().set("batch", 2);
    let principal = instance.prepare(set, &profile().to_string()).unwrap().unwrap();
    let request = || r#"{"action":"models.list"}"#.to_owned();
    let mut many = |requests: usize, counters: usize| {
        let (requests, counters) = (vec![request(); requests], vec![String::new(); counters]);
        let answers = instance.decide_many(principal, AT, &requests, &counters).unwrap();
        assert_eq!(answers.len(), requests.len());
        let malformed = answers.iter().filter(|answer| matches!(answer, Err(DecideError::Malformed(_)))).count();
        assert!(malformed == 0 || malformed == requests.len(), "{answers:?}");
        malformed == 0
    };
    assert!(many(0, 0) && many(2, 0) && many(2, 2));
    assert!(!many(3, 0) && !many(2, 1) && !many(1, 2));
}

#[test]
fn a_reply_beyond_the_limit_is_an_error() {
    let stage = Stage::new();
    // An index of four bytes for the policy and one for each field that may have been read, but one byte.
    let (mut instance, set) = stage.set("reply_bytes", 0);
    let info: Value = serde_json::from_str(&instance.info(set).unwrap()).unwrap();
    let needed = 4 * (1 + info["fields"].as_array().unwrap().len());
    let (mut instance, set) = stage.set("reply_bytes", needed - 1);
    let principal = instance.prepare(set, &profile().to_string()).unwrap().unwrap();
    let request = r#"{"action":"models.list"}"#;
    match instance.decide(principal, AT, request, "").unwrap() {
        Err(DecideError::ReplyTooLarge(_)) => {}
        other => panic!("{other:?}"),
    }
    let text: Value = serde_json::from_str(&instance.decide_text(principal, AT, request, "").unwrap()).unwrap();
    assert_eq!(
        (&text["decision"], &text["status"], &text["code"]),
        (&json!("deny"), &json!(503), &json!("policy_reply"))
    );

    let (mut instance, set) = stage.set("load_reply_bytes", 60);
    let call = r#"{"v":1,"principal":{"type":"User","id":"a"},"action":{"type":"Action","id":"models.list"},"resource":{"type":"Service","id":"cedargate"},"validate":false}"#;
    match instance.authorize(set, call).unwrap() {
        Err(AuthorizeError::ReplyTooLarge(_)) => {}
        other => panic!("{other:?}"),
    }
}
