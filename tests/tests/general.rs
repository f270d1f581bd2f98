//! The component's general door against `cedar-policy` itself: what is valid, decision, reasons and errors.
//!
//! The ordinary run makes 2,000 comparisons without schemas, and 2,000 with a generated schema for each set. The long run
//! takes the number from the environment: `CEDARGATE_CASES=100000 cargo test --release --workspace --test general`.

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, Response, Schema, SlotId,
    Template, ValidationMode, ValidationResult, Validator,
};
use cedargate_tests::plugin::{AuthorizeError, Compiled, Instance, LoadError};
use cedargate_tests::world::{Call, World};
use cedargate_tests::{typed, untyped};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

const CASES: u64 = 2_000;

/// At least this part of the comparisons must meet a policy that errs, or they say little.
const ERRING_PERCENT_MIN: u64 = 20;

/// The bundles that must be valid, and those that must not, in percent of the generated.
const VALID_PERCENT: std::ops::RangeInclusive<u64> = 40..=95;

/// How many findings a report lists at most.
const DIAGNOSTICS_MAX: usize = 100;

fn cases() -> u64 {
    std::env::var("CEDARGATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES)
}

/// A world as `cedar-policy` reads it.
struct Native {
    schema: Option<Schema>,
    policies: PolicySet,
    entities: Entities,
}

impl Native {
    /// `None` where the static entities cannot be.
    fn of(world: &World, schema: Option<Schema>) -> Option<Self> {
        let entities = Entities::from_json_value(world.entities.clone(), schema.as_ref()).ok()?;
        Some(Self { schema, policies: policies(world), entities })
    }

    /// `None` where the call cannot be.
    fn answer(&self, call: &Call) -> Option<Response> {
        let schema = self.schema.as_ref().filter(|_| call.validate);
        let action = uid(&call.action);
        let context = Context::from_json_value(call.context.clone(), schema.map(|schema| (schema, &action))).ok()?;
        let entities = self.entities.clone().add_entities_from_json_value(call.entities.clone(), schema).ok()?;
        let request = Request::new(uid(&call.principal), action, uid(&call.resource), context, schema).ok()?;
        Some(Authorizer::new().is_authorized(&request, &self.policies, &entities))
    }
}

fn policies(world: &World) -> PolicySet {
    let mut set = PolicySet::new();
    for (id, text) in &world.policies {
        set.add(Policy::parse(Some(PolicyId::new(id)), text).unwrap_or_else(|e| panic!("{text}: {e:?}"))).unwrap();
    }
    for (id, text) in &world.templates {
        set.add_template(Template::parse(Some(PolicyId::new(id)), text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
            .unwrap();
    }
    for link in &world.links {
        let mut values = HashMap::new();
        values.extend(link.principal.as_ref().map(|entity| (SlotId::principal(), uid(entity))));
        values.extend(link.resource.as_ref().map(|entity| (SlotId::resource(), uid(entity))));
        set.link(PolicyId::new(&link.template), PolicyId::new(&link.id), values).unwrap();
    }
    set
}

fn uid(entity: &Value) -> EntityUid {
    EntityUid::from_json(entity.clone()).unwrap()
}

/// What was compared so far.
#[derive(Debug, Default)]
struct Tally {
    compared: u64,
    erring: u64,
    allowed: u64,
    refused: u64,
    valid_sets: u64,
    invalid_sets: u64,
}

impl Tally {
    /// Asks every call of a world, here and there.
    fn ask(&mut self, plugin: &mut Instance, world: &World, native: &Native, seed: u64) {
        let set = plugin.loaded(&world.bundle()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        for call in &world.calls {
            let text = call.text();
            let came = plugin.authorize(set, &text).unwrap();
            match (native.answer(call), came) {
                (Some(expected), Ok(answer)) => {
                    self.compared += 1;
                    self.erring += u64::from(expected.diagnostics().errors().next().is_some());
                    self.allowed += u64::from(expected.decision() == Decision::Allow);
                    same(&expected, &answer, &format!("seed {seed}: {text}"));
                }
                (None, Err(AuthorizeError::RequestInvalid(_))) => self.refused += 1,
                (expected, came) => panic!("seed {seed}: {text}: {came:?} instead of {expected:?}"),
            }
        }
        plugin.drop(set).unwrap();
    }

    fn assert_enough(&self) {
        println!("{self:?}");
        let Self { compared, erring, allowed, .. } = self;
        assert!(erring * 100 >= compared * ERRING_PERCENT_MIN, "only {erring} of {compared} met an error");
        assert!(allowed * 10 >= *compared, "only {allowed} of {compared} were allowed");
    }
}

/// Decision, reasons and errors are the same.
fn same(expected: &Response, answer: &str, place: &str) {
    let came: Value = serde_json::from_str(answer).unwrap();
    let decision = if expected.decision() == Decision::Allow { "allow" } else { "deny" };
    assert_eq!(came["decision"], decision, "{place}");
    let reasons: BTreeSet<String> = expected.diagnostics().reason().map(ToString::to_string).collect();
    assert_eq!(came["reasons"], json!(reasons), "{place}");
    let errors: BTreeSet<String> = expected.diagnostics().errors().map(ToString::to_string).collect();
    let ours = came["errors"].as_array().unwrap();
    assert_eq!(ours.len(), errors.len(), "{place}: {errors:?}");
    for error in ours {
        let (id, message) = (error["policy"].as_str().unwrap(), error["message"].as_str().unwrap());
        let found = errors.iter().any(|e| e.contains(&format!("`{id}`")) && e.ends_with(message));
        assert!(found, "{place}: {error} is not among {errors:?}");
    }
}

/// The findings of this severity and code: the policies that they are about, or no more than their number is known.
fn about(diagnostics: &Value, severity: &str, code: &str) -> BTreeSet<String> {
    let found = diagnostics.as_array().unwrap().iter().filter(|one| one["severity"] == severity && one["code"] == code);
    found.map(|one| one["policy"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Whether schema, policies and static entities are valid: the same here and there, about the same policies.
fn validated(plugin: &mut Instance, world: &World, seed: u64) -> Option<Native> {
    let loaded = plugin.load(&world.bundle()).unwrap();
    let report = match &loaded {
        Err(LoadError::Malformed(text)) => panic!("seed {seed}: {text}"),
        Err(LoadError::Refused(text)) => serde_json::from_str::<Value>(text).unwrap()["diagnostics"].clone(),
        Ok(set) => {
            let info: Value = serde_json::from_str(&plugin.info(*set).unwrap()).unwrap();
            plugin.drop(*set).unwrap();
            info["warnings"].clone()
        }
    };
    let text = world.schema.as_deref().unwrap();
    let Ok((schema, _)) = Schema::from_cedarschema_str(text) else {
        assert!(!about(&report, "error", "schema").is_empty(), "seed {seed}: the schema was accepted: {text}");
        return None;
    };
    assert_eq!(about(&report, "error", "schema"), BTreeSet::new(), "seed {seed}: {text}: {report:#}");
    let result = Validator::new(schema.clone()).validate(&policies(world), ValidationMode::Strict);
    if report.as_array().unwrap().len() < DIAGNOSTICS_MAX {
        let (errors, warnings) = ids(&result);
        assert_eq!(about(&report, "error", "validation"), errors, "seed {seed}: {report:#}");
        assert_eq!(about(&report, "warning", "validation"), warnings, "seed {seed}: {report:#}");
    }
    let native = Native::of(world, Some(schema));
    assert_eq!(about(&report, "error", "entities").is_empty(), native.is_some(), "seed {seed}: {report:#}");
    let valid = result.validation_passed() && native.is_some();
    assert_eq!(loaded.is_ok(), valid, "seed {seed}: {report:#}");
    native.filter(|_| valid)
}

fn ids(result: &ValidationResult) -> (BTreeSet<String>, BTreeSet<String>) {
    let errors = result.validation_errors().map(|error| error.policy_id().to_string()).collect();
    (errors, result.validation_warnings().map(|warning| warning.policy_id().to_string()).collect())
}

#[test]
fn the_general_door_is_cedar() {
    let mut plugin = Compiled::shared_instance().unwrap();
    let mut tally = Tally::default();
    for seed in 0.. {
        let world = untyped::world(seed);
        tally.ask(&mut plugin, &world, &Native::of(&world, None).unwrap(), seed);
        if tally.compared >= cases() {
            break;
        }
    }
    tally.assert_enough();
}

#[test]
fn with_any_schema_the_general_door_is_cedar() {
    let mut plugin = Compiled::shared_instance().unwrap();
    let mut tally = Tally::default();
    for seed in 0.. {
        let mut world = typed::world(seed);
        match validated(&mut plugin, &world, seed) {
            Some(native) => {
                tally.valid_sets += 1;
                tally.ask(&mut plugin, &world, &native, seed);
            }
            None => {
                tally.invalid_sets += 1;
                // What is not valid can be asked all the same, without its schema.
                world.schema = None;
                if let Some(native) = Native::of(&world, None) {
                    tally.ask(&mut plugin, &world, &native, seed);
                }
            }
        }
        if tally.compared >= cases() {
            break;
        }
    }
    tally.assert_enough();
    let percent = tally.valid_sets * 100 / (tally.valid_sets + tally.invalid_sets);
    assert!(VALID_PERCENT.contains(&percent), "{percent} % of the sets were valid");
    assert!(tally.refused > 0, "no call was refused");
}
