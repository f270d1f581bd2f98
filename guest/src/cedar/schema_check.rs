//! Whether a schema admits the facts that the plug-in makes, asked of Cedar's own conformance checks.

use super::uid;
use crate::cedar::oracle::Export;
use crate::contract::limits::Limits;
use crate::contract::profile::{Profile, Request};
use crate::facts::kind::Kind;
use crate::facts::symbol::Layer;
use crate::facts::value::{Heap, Scratch, Value, World};
use crate::facts::vocabulary::{Fact, Vocabulary};
use crate::facts::{Maker, PrincipalFacts};
use crate::program::interpreter::Scene;
use crate::program::rules::Rules;
use cedar_policy_core::ast::{Entity, RequestSchema};
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::{CoreSchema, ValidatorSchema};
use std::collections::{BTreeSet, HashSet};

/// A profile with every fact.
const FULL: &str = r#"{"id":"probe","name":"probe","purpose":"probe","principal_type":"TYPE","status":"active",
"org_id":"o","team_id":"t","roles":["r"],"not_before":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z",
"grace_until":"2026-01-01T00:00:00Z","bindings":{"gateway_id":"g","consumer_group":"c","providers":["p"],
"models":["p/m","m","p/*","group:g"],"scopes":["s"],"networks":["10.0.0.0/8"]},
"budgets":[{"unit":"u","window":"w","limit":1}]}"#;

/// A profile with nothing that can be absent.
const BARE: &str = r#"{"id":"probe","purpose":"probe","principal_type":"TYPE","status":"active"}"#;

/// A request with every fact.
const FULL_REQUEST: &str = r#"{"action":"probe","provider":"p","model":"m","gateway_id":"g","team_id":"t","consumer_group":"c",
"client_ip":"10.0.0.1","org_id":"o","target":TOKEN,"current":TOKEN,
"budget":{"limit":1,"spent":1,"requested":1,"resets_at":"2026-01-01T00:00:00Z"},"team_budget":{"limit":1,"spent":1,"requested":1},
"rate":{"limit":1,"spent":1,"requested":1},"team_rate":{"limit":1,"spent":1,"requested":1}}"#;

/// A token with every fact, which lies beyond the profile in every list.
const FULL_TOKEN: &str = r#"{"id":"i","name":"n","purpose":"p","principal_type":"p","org_id":"o","team_id":"t",
"roles":["r"],"bindings":{"gateway_id":"g","consumer_group":"c","providers":["q"],"models":["n"],"scopes":["s"],"networks":["::/0"]},
"not_before":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z","budgets":[{"unit":"u","window":"w","limit":2}]}"#;

/// A request with nothing that can be absent.
const BARE_REQUEST: &str = r#"{"action":"probe","model":"m"}"#;

/// What the schema does not admit, one sentence each.
#[must_use]
pub fn check(schema: &ValidatorSchema, rules: &Rules) -> BTreeSet<String> {
    let limits = Limits::default();
    let core = CoreSchema::new(schema);
    let probe = Probe { rules, limits: &limits, core: &core };
    let mut found = BTreeSet::new();
    let checker = EntitySchemaConformanceChecker::new(&core, Extensions::all_available());
    for kind in Kind::ALL.into_iter().filter(|kind| !Kind::PRINCIPALS.contains(kind)) {
        let bare =
            Entity::new_with_attr_partial_value(uid::of_kind(kind, "probe"), [], HashSet::new(), HashSet::new(), []);
        found.extend(checker.validate_entity(&bare).err().map(|error| error.to_string()));
    }
    for ty in ["api_token", "gateway_runtime", "provider_key", "user", "other"] {
        for text in [BARE, FULL] {
            let text = text.replace("TYPE", ty);
            let Ok(profile) = Profile::read(&text, &limits) else { continue };
            match probe.maker().principal(&profile) {
                Ok(facts) => {
                    let nothing = Heap::new(Layer::Request);
                    probe.entities(&checker, &facts, &facts.heap, &nothing, &mut found);
                    probe.requests(&checker, &facts, &mut found);
                }
                Err(error) => {
                    found.insert(error.to_string());
                }
            }
        }
    }
    found
}

type Checker<'s> = EntitySchemaConformanceChecker<'s, CoreSchema<'s>>;

struct Probe<'s> {
    rules: &'s Rules,
    limits: &'s Limits,
    core: &'s CoreSchema<'s>,
}

impl Probe<'_> {
    fn maker(&self) -> Maker<'_> {
        Maker { ground: &self.rules.ground, limits: self.limits }
    }

    fn export<R>(&self, principal: &Heap, request: &Heap, then: impl FnOnce(Export<'_>) -> R) -> R {
        let (set, scratch) = (&self.rules.ground.heap, Scratch::default());
        let world = World { set, principal, request, scratch: &scratch };
        then(Export { vocabulary: &self.rules.ground.vocabulary, world })
    }

    fn entities(
        &self,
        checker: &Checker<'_>,
        facts: &PrincipalFacts,
        of: &Heap,
        request: &Heap,
        found: &mut BTreeSet<String>,
    ) {
        let entities = self.export(&facts.heap, request, |export| export.entities(of));
        for entity in entities.into_iter().flatten() {
            found.extend(checker.validate_entity(&entity).err().map(|error| error.to_string()));
        }
    }

    fn requests(&self, checker: &Checker<'_>, facts: &PrincipalFacts, found: &mut BTreeSet<String>) {
        for action in &self.rules.actions {
            for text in [BARE_REQUEST, FULL_REQUEST] {
                let text = text.replace("TOKEN", FULL_TOKEN);
                let Ok(request) = Request::read(&text, "", self.limits) else { continue };
                let mut heap = Heap::new(Layer::Request);
                let made = match self.maker().request(&action.facts, &request, facts, &mut heap) {
                    Ok(made) => made,
                    Err(error) => {
                        found.insert(error.to_string());
                        continue;
                    }
                };
                let mut context = made.context;
                context.push((Fact::At.into(), Value::DateTime(0)));
                let context = heap.add_record(&mut context);
                self.entities(checker, facts, &heap, &heap, found);
                let (set, scratch) = (&self.rules.ground.heap, Scratch::default());
                let world = World { set, principal: &facts.heap, request: &heap, scratch: &scratch };
                let scene = Scene {
                    code: &self.rules.code,
                    world,
                    principal: facts.principal,
                    action: Value::Entity(Vocabulary::ACTION, action.facts.action),
                    resource: made.resource,
                    context,
                };
                let export = Export { vocabulary: &self.rules.ground.vocabulary, world };
                let Some(asked) = export.request(&scene) else { continue };
                let refused = self.core.validate_request(&asked, Extensions::all_available()).err();
                found.extend(refused.map(|error| error.to_string()));
            }
        }
    }
}
