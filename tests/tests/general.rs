//! The component's general door against `cedar-policy` itself: decision, reasons and errors.
//!
//! The ordinary run compares 2,000 requests. The long run takes the number from the environment:
//! `CEDARGATE_CASES=100000 cargo test --release -p cedargate-tests --test general`.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, SlotId, Template,
};
use cedargate_tests::plugin::Compiled;
use cedargate_tests::world::{World, world};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

const CASES: u64 = 2_000;

/// At least this part of the requests must meet a policy that errs, or the comparison says little.
const ERRING_PERCENT_MIN: u64 = 20;

fn cases() -> u64 {
    std::env::var("CEDARGATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES)
}

fn bundle(world: &World) -> String {
    let file = |(id, text): &(String, String)| json!({"name": format!("{id}.cedar"), "text": text, "id": id});
    let template = |(id, text): &(String, String)| json!({"name": format!("{id}.cedar"), "text": format!("@id(\"{id}\")\n{text}")});
    let policies: Vec<Value> = world.policies.iter().map(file).chain(world.templates.iter().map(template)).collect();
    let links: Vec<Value> = world
        .links
        .iter()
        .map(|(template, link, principal, resource)| {
            let mut args = serde_json::Map::new();
            args.extend(principal.clone().map(|uid| ("?principal".to_owned(), uid)));
            args.extend(resource.clone().map(|uid| ("?resource".to_owned(), uid)));
            json!({"template_id": template, "link_id": link, "args": args})
        })
        .collect();
    json!({"v": 1, "kind": "general", "policies": policies, "entities": {"name": "entities.json", "text": world.entities.to_string()},
        "links": [{"name": "a.links.json", "text": Value::from(links).to_string()}]})
    .to_string()
}

fn native_set(world: &World) -> PolicySet {
    let mut set = PolicySet::new();
    for (id, text) in &world.policies {
        set.add(Policy::parse(Some(PolicyId::new(id)), text).unwrap_or_else(|e| panic!("{text}: {e:?}"))).unwrap();
    }
    for (id, text) in &world.templates {
        set.add_template(Template::parse(Some(PolicyId::new(id)), text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
            .unwrap();
    }
    for (template, link, principal, resource) in &world.links {
        let mut values = HashMap::new();
        values.extend(principal.as_ref().map(|uid| (SlotId::principal(), native_uid(uid))));
        values.extend(resource.as_ref().map(|uid| (SlotId::resource(), native_uid(uid))));
        set.link(PolicyId::new(template), PolicyId::new(link), values).unwrap();
    }
    set
}

fn native_uid(uid: &Value) -> EntityUid {
    EntityUid::from_json(uid.clone()).unwrap()
}

#[test]
fn the_general_door_is_cedar() {
    let mut plugin = Compiled::new().unwrap().instance().unwrap();
    let (mut compared, mut erring, mut allowed, mut seed) = (0, 0, 0, 0);
    while compared < cases() {
        let world = world(seed);
        let set = plugin.loaded(&bundle(&world)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let native = native_set(&world);
        let entities = Entities::from_json_value(world.entities.clone(), None).unwrap();
        for [principal, action, resource, context] in &world.requests {
            let request = Request::new(
                native_uid(principal),
                native_uid(action),
                native_uid(resource),
                Context::from_json_value(context.clone(), None).unwrap(),
                None,
            )
            .unwrap();
            let expected = Authorizer::new().is_authorized(&request, &native, &entities);
            let call =
                json!({"v": 1, "principal": principal, "action": action, "resource": resource, "context": context});
            let answer =
                plugin.authorize(set, &call.to_string()).unwrap().unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            let came: Value = serde_json::from_str(&answer).unwrap();
            let decision = if expected.decision() == Decision::Allow { "allow" } else { "deny" };
            assert_eq!(came["decision"], decision, "seed {seed}: {call}");
            let reasons: BTreeSet<String> = expected.diagnostics().reason().map(ToString::to_string).collect();
            assert_eq!(came["reasons"], json!(reasons), "seed {seed}: {call}");
            let errors: BTreeSet<String> = expected.diagnostics().errors().map(ToString::to_string).collect();
            let ours = came["errors"].as_array().unwrap();
            assert_eq!(ours.len(), errors.len(), "seed {seed}: {call}: {errors:?}");
            for error in ours {
                let (id, message) = (error["policy"].as_str().unwrap(), error["message"].as_str().unwrap());
                let found = errors.iter().any(|e| e.contains(&format!("`{id}`")) && e.ends_with(message));
                assert!(found, "seed {seed}: {call}: {error} is not among {errors:?}");
            }
            compared += 1;
            erring += u64::from(!errors.is_empty());
            allowed += u64::from(decision == "allow");
        }
        plugin.drop(set).unwrap();
        seed += 1;
    }
    println!("{compared} requests compared, {erring} met an error, {allowed} were allowed");
    assert!(erring * 100 >= compared * ERRING_PERCENT_MIN, "only {erring} of {compared} met an error");
    assert!(allowed * 10 >= compared, "only {allowed} of {compared} were allowed");
}
