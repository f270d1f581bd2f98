//! The contract: frozen where it is released, described wherever it says something.

use cedargate_tests::corpus;
use cedargate_tests::plugin::{Compiled, LoadError};
use cedargate_tests::schema::Schemas;
use serde_json::{Value, json};
use std::fs;
use wit_parser::{Docs, Resolve, TypeDefKind};

const AT: i64 = 1_776_948_300_000;

fn contract() -> String {
    fs::read_to_string(corpus::root().join("wit/authz.wit")).unwrap()
}

/// The version that the contract's package line names.
fn version(contract: &str) -> String {
    let line = contract.lines().find_map(|line| line.strip_prefix("package cedargate:authz@")).unwrap();
    line.trim_end_matches(';').to_owned()
}

#[test]
fn a_released_contract_does_not_change() {
    let contract = contract();
    let version = version(&contract);
    let released = corpus::root().join(format!("tests/contract/authz-{version}.wit"));
    let copy = fs::read_to_string(&released).unwrap_or_else(|_| {
        panic!(
            "wit/authz.wit says {version}, which has no copy: when it is released, copy it to `{}` and never change that file",
            released.display()
        )
    });
    assert!(
        copy == contract,
        "wit/authz.wit differs from the released {version}: give its package line a new version (0.1.x where only functions were \
         added, else 0.2.0), name it in guest/src/contract/abi.rs, and copy the file to tests/contract/"
    );
    assert_eq!(
        cedargate_guest::CONTRACT,
        version,
        "guest/src/contract/abi.rs names another version than wit/authz.wit"
    );
}

#[test]
fn everything_in_the_contract_has_a_sentence() {
    let mut resolve = Resolve::default();
    resolve.push_str("authz.wit", &contract()).unwrap();
    let mut bare = Vec::new();
    let mut check = |what: String, docs: &Docs| {
        if docs.contents.as_deref().is_none_or(|text| !text.trim_end().ends_with(['.', ':'])) {
            bare.push(what);
        }
    };
    for (_, package) in &resolve.packages {
        check(format!("package {}", package.name), &package.docs);
    }
    for (_, world) in &resolve.worlds {
        check(format!("world {}", world.name), &world.docs);
    }
    for (_, interface) in &resolve.interfaces {
        check(format!("interface {}", interface.name.as_deref().unwrap_or_default()), &interface.docs);
        for (name, function) in &interface.functions {
            check(format!("function {name}"), &function.docs);
        }
    }
    for (_, ty) in &resolve.types {
        let Some(name) = &ty.name else { continue };
        check(format!("type {name}"), &ty.docs);
        match &ty.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|field| check(format!("field {name}.{}", field.name), &field.docs));
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().for_each(|case| check(format!("case {name}.{}", case.name), &case.docs));
            }
            TypeDefKind::Enum(cases) => {
                cases.cases.iter().for_each(|case| check(format!("case {name}.{}", case.name), &case.docs));
            }
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().for_each(|flag| check(format!("flag {name}.{}", flag.name), &flag.docs));
            }
            _ => {}
        }
    }
    assert!(bare.is_empty(), "without a sentence: {}", bare.join(", "));
}

#[test]
fn every_field_of_a_schema_is_described() {
    fn bare(place: &str, value: &Value, found: &mut Vec<String>) {
        for (name, property) in value.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let place = format!("{place}.{name}");
            if property.get("description").is_none() && property.get("$ref").is_none() {
                found.push(place.clone());
            }
            bare(&place, property, found);
        }
        for (name, part) in value.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            bare(&format!("{place}#{name}"), part, found);
        }
        if let Some(items) = value.get("items") {
            bare(&format!("{place}[]"), items, found);
        }
    }
    let mut found = Vec::new();
    for (name, schema) in Schemas::read().all() {
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{name}");
        bare(name, schema, &mut found);
    }
    assert!(found.is_empty(), "without a description: {}", found.join(", "));
}

#[test]
fn every_example_is_one() {
    let schemas = Schemas::read();
    for (name, schema) in schemas.all() {
        let examples = schema["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            assert_eq!(schemas.errors(name, example), [""; 0], "{name}: {example}");
        }
    }
    let page = fs::read_to_string(corpus::root().join("wit/README.md")).unwrap();
    let mut shown = 0;
    for block in page.split("```json ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let example: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schemas.errors(name, &example), [""; 0], "wit/README.md: {name}");
        shown += 1;
    }
    assert!(shown > 0, "wit/README.md shows nothing");
}

#[test]
fn the_cases_are_records() {
    let schemas = Schemas::read();
    for file in corpus::case_files() {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(schemas.errors("record", &record), [""; 0], "{}: {}", file.display(), record["id"]);
        }
    }
}

#[test]
fn what_the_component_says_is_as_described() {
    let schemas = Schemas::read();
    let fits = |name: &str, text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schemas.errors(name, &value), [""; 0], "{name}: {text}");
    };
    let mut plugin = Compiled::new().unwrap().instance().unwrap();
    fits("abi", &plugin.abi().unwrap());
    let bundle = corpus::bundle(None);
    fits("bundle", &bundle);
    let set = plugin.loaded(&bundle).unwrap();
    fits("info", &plugin.info(set).unwrap());
    for case in corpus::case_files().iter().flat_map(|file| corpus::cases(file)) {
        let principal = plugin.prepare(set, case.principal.get()).unwrap().unwrap();
        let decision = plugin.decide_text(principal, corpus::millis(&case.at), case.request.get(), "").unwrap();
        fits("decision", &decision);
        plugin.drop(principal).unwrap();
    }
    let principal =
        plugin.prepare(set, r#"{"id":"a","purpose":"x","principal_type":"y","status":"active"}"#).unwrap().unwrap();
    for request in
        ["", "{", "null", r#"{"action":null}"#, r#"{"action":"x","budget":{"limit":-1,"spent":0,"requested":0}}"#]
    {
        fits("decision", &plugin.decide_text(principal, AT, request, "").unwrap());
    }
    let mut broken: Value = serde_json::from_str(&bundle).unwrap();
    broken["policies"].as_array_mut().unwrap().extend([
        json!({"name": "a.cedar", "text": "permit (principal, action, resource);"}),
        json!({"name": "b.cedar", "text": "@id(\"b\") permit (principal, action, resorce);"}),
        json!({"name": "c.cedar", "text": "@id(\"c\") permit (principal, action, resource) when { principal.nothing };"}),
    ]);
    match plugin.load(&broken.to_string()).unwrap() {
        Err(LoadError::Refused(report)) => fits("diagnostics", &report),
        other => panic!("{other:?}"),
    }
    let call = r#"{"v":1,"principal":{"type":"User","id":"a"},"action":{"type":"Action","id":"models.list"},"resource":{"type":"Service","id":"cedargate"},"validate":false}"#;
    fits("answer", &plugin.authorize(set, call).unwrap().unwrap());
}
