//! The deepest accepted policy of every shape loads, prepares and decides; a deeper one is refused by a limit, never by a
//! trap.

use cedargate_tests::corpus;
use cedargate_tests::plugin::{Compiled, Instance, LoadError};
use cedargate_tests::shapes::SHAPES;
use serde_json::{Value, json};

const AT: i64 = 1_776_948_300_000;
const APP: &str =
    r#"{"id":"tok_app","purpose":"general","principal_type":"api_token","status":"active","team_id":"frontend"}"#;
const REQUEST: &str = r#"{"action":"chat.completions","provider":"openai","model":"gpt-4o"}"#;

/// Far deeper than any limit.
const ABYSS: usize = 10_000;

/// Loads, prepares, decides and restores.
fn decide(instance: &mut Instance, bundle: &str) -> anyhow::Result<()> {
    let set = instance.loaded(bundle)?;
    let image = instance.image(set)?;
    let info = instance.info(set)?;
    let restored = instance.restore(&image)?.map_err(|error| anyhow::anyhow!("not restored: {error:?}"))?;
    anyhow::ensure!(instance.info(restored)? == info, "the restored set describes itself otherwise");
    for set in [set, restored] {
        let principal = instance.prepare(set, APP)?.map_err(|error| anyhow::anyhow!("not prepared: {error:?}"))?;
        let text: Value = serde_json::from_str(&instance.decide_text(principal, AT, REQUEST, "")?)?;
        anyhow::ensure!([200, 403].map(Value::from).contains(&text["status"]), "no decision: {text}");
        instance.drop(principal)?;
        instance.drop(set)?;
    }
    Ok(())
}

/// The codes of the errors for which a bundle is refused.
fn refused(instance: &mut Instance, bundle: &str) -> anyhow::Result<Vec<String>> {
    match instance.load(bundle)? {
        Ok(_) => anyhow::bail!("it was loaded"),
        Err(LoadError::Malformed(text)) => anyhow::bail!("it was malformed: {text}"),
        Err(LoadError::Refused(text)) => {
            let report: Value = serde_json::from_str(&text)?;
            let found = report["diagnostics"].as_array().into_iter().flatten();
            Ok(found
                .filter(|one| one["severity"] == "error")
                .map(|one| one["code"].as_str().unwrap().to_owned())
                .collect())
        }
    }
}

/// Runs a check for every shape, each in an instance of its own, and lists all that fail.
fn for_every_shape(check: impl Fn(&mut Instance, &str, &dyn Fn(usize) -> String, usize) -> anyhow::Result<()>) {
    let compiled = Compiled::new().unwrap();
    let mut wrong = Vec::new();
    for shape in SHAPES {
        let mut instance = compiled.instance().unwrap();
        let deepest = shape.deepest();
        if let Err(error) = check(&mut instance, shape.name, &|depth| shape.bundle(depth), deepest) {
            wrong.push(format!("`{}` at {deepest}: {error:#}", shape.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} shapes:\n{}", wrong.len(), SHAPES.len(), wrong.join("\n"));
}

#[test]
fn the_deepest_policy_of_every_shape_decides() {
    for_every_shape(|instance, _, bundle, deepest| decide(instance, &bundle(deepest)));
}

#[test]
fn one_deeper_is_refused_by_a_limit() {
    for_every_shape(|instance, _, bundle, deepest| {
        let codes = refused(instance, &bundle(deepest + 1))?;
        anyhow::ensure!(codes == ["limit"], "{codes:?}");
        Ok(())
    });
}

#[test]
fn ten_thousand_deep_is_refused_by_a_limit() {
    for_every_shape(|instance, _, bundle, deepest| {
        // A flat chain of this length may be within the limits.
        let codes = refused(instance, &bundle(ABYSS.max(deepest + 1)))?;
        anyhow::ensure!(!codes.is_empty() && codes.iter().all(|code| code == "limit"), "{codes:?}");
        Ok(())
    });
}

/// What is not a policy's expression, and could be nested or long all the same.
#[test]
fn other_nests_are_refused_without_a_trap() {
    let compiled = Compiled::new().unwrap();
    let mut wrong = Vec::new();
    for (name, bundle) in other_nests() {
        let mut instance = compiled.instance().unwrap();
        match refused(&mut instance, &bundle) {
            Ok(codes) if !codes.is_empty() => {}
            Ok(_) => wrong.push(format!("{name}: refused without an error")),
            Err(error) => wrong.push(format!("{name}: {error:#}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn other_nests() -> Vec<(&'static str, String)> {
    let default: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    let schema = default["schema"]["text"].as_str().unwrap();
    let with = |field: &str, text: String| {
        let mut bundle = default.clone();
        bundle[field]["text"] = json!(text);
        bundle[field]["name"] = json!(field);
        bundle.to_string()
    };
    let policy = |text: String| {
        let mut bundle = default.clone();
        bundle["policies"] = json!([{"name": "deep.cedar", "text": text}]);
        bundle.to_string()
    };
    let groups: String = (0..ABYSS).map(|n| format!("action \"g{n}\" in [\"g{}\"];\n", n + 1)).collect();
    let parents: Vec<Value> = (0..ABYSS)
        .map(|n| {
            json!({"uid": {"type": "Scope", "id": format!("s{n}")}, "attrs": {},
                "parents": [{"type": "Scope", "id": format!("s{}", n + 1)}]})
        })
        .collect();
    let chain: String = (1..=ABYSS).map(|n| format!("type T{n} = {{ a: T{} }};\n", n - 1)).collect();
    vec![
        ("open brackets", policy("(".repeat(ABYSS))),
        (
            "open brackets in a policy",
            policy(format!("@id(\"a\") permit (principal, action, resource) when {{ {}", "(".repeat(ABYSS))),
        ),
        (
            "open lists",
            policy(format!("@id(\"a\") permit (principal, action, resource) when {{ {}", "[".repeat(ABYSS))),
        ),
        ("open braces", policy("{".repeat(ABYSS))),
        (
            "signs",
            policy(format!("@id(\"a\") permit (principal, action, resource) when {{ {}true }};", "!".repeat(ABYSS))),
        ),
        (
            "a path",
            policy(format!(
                "@id(\"a\") permit (principal, action, resource) when {{ principal == {}A::\"x\" }};",
                "A::".repeat(ABYSS)
            )),
        ),
        (
            "a scope",
            policy(format!(
                "@id(\"a\") permit (principal in {}Team::\"a\"{}, action, resource);",
                "[".repeat(ABYSS),
                "]".repeat(ABYSS)
            )),
        ),
        ("no policy, much text", policy("permit ".repeat(ABYSS))),
        (
            "records in the schema",
            with("schema", format!("type T = {}Long{};\n{schema}", "{a: ".repeat(ABYSS), "}".repeat(ABYSS))),
        ),
        (
            "sets in the schema",
            with("schema", format!("type T = {}Long{};\n{schema}", "Set<".repeat(ABYSS), ">".repeat(ABYSS))),
        ),
        (
            "namespaces in the schema",
            with("schema", format!("{}{}", "namespace A { ".repeat(ABYSS), "}".repeat(ABYSS))),
        ),
        (
            "names of types in the schema",
            with("schema", format!("type T0 = Long;\n{chain}entity Deep = {{ a?: T{ABYSS} }};\n{schema}")),
        ),
        ("groups of actions", with("schema", format!("{schema}{groups}action \"g{ABYSS}\";\n"))),
        ("parents of entities", with("entities", json!(parents).to_string())),
        ("lists in the entities", with("entities", format!("{}{}", "[".repeat(ABYSS), "]".repeat(ABYSS)))),
        (
            "records in the entities",
            with(
                "entities",
                format!(
                    r#"[{{"uid":{{"type":"Team","id":"a"}},"attrs":{}1{},"parents":[]}}]"#,
                    r#"{"a":"#.repeat(ABYSS),
                    "}".repeat(ABYSS)
                ),
            ),
        ),
    ]
}

#[test]
fn fifty_megabytes_are_refused_by_a_limit() {
    const BYTES: usize = 50 << 20;
    let compiled = Compiled::new().unwrap();
    let default: Value = serde_json::from_str(&corpus::bundle(None)).unwrap();
    for field in ["schema", "entities"] {
        let mut bundle = default.clone();
        bundle[field]["text"] = json!(" ".repeat(BYTES));
        let codes = refused(&mut compiled.instance().unwrap(), &bundle.to_string());
        assert_eq!(codes.unwrap(), ["limit"], "{field}");
    }
    for text in ["(".repeat(BYTES), "a".repeat(BYTES), format!("\"{}", "x".repeat(BYTES))] {
        let mut bundle = default.clone();
        bundle["policies"] = json!([{"name": "large.cedar", "text": text}]);
        let codes = refused(&mut compiled.instance().unwrap(), &bundle.to_string());
        assert_eq!(codes.unwrap(), ["limit"]);
    }
}
