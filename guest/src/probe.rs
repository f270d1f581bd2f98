//! Whether a schema admits the facts that the plug-in makes, asked of Cedar's own conformance checks.

use crate::limits::Limits;
use crate::profile::{Profile, Request};
use crate::set::PolicySet;
use crate::time::Millis;
use crate::value;
use cedar_policy_core::ast::{Context, Request as CedarRequest, RequestSchema};
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A profile with every fact.
const FULL: &str = r#"{"id":"probe","name":"probe","purpose":"probe","principal_type":"TYPE","status":"active",
"org_id":"o","team_id":"t","roles":["r"],"not_before":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z",
"grace_until":"2026-01-01T00:00:00Z","bindings":{"gateway_id":"g","consumer_group":"c","providers":["p"],
"models":["p/m","m","p/*","group:g"],"scopes":["s"],"networks":["10.0.0.0/8"]}}"#;

/// A profile with nothing that can be absent.
const BARE: &str = r#"{"id":"probe","purpose":"probe","principal_type":"TYPE","status":"active"}"#;

/// A request with every fact.
const FULL_REQUEST: &str = r#"{"action":"probe","provider":"p","model":"m","gateway_id":"g","team_id":"t","consumer_group":"c",
"client_ip":"10.0.0.1","org_id":"o","target":{"id":"i","name":"n","purpose":"p","principal_type":"p","org_id":"o","team_id":"t",
"roles":["r"],"bindings":{"gateway_id":"g","consumer_group":"c","providers":["p"],"models":["m"],"scopes":["s"],"networks":["::/0"]},
"not_before":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:00:00Z"},
"budget":{"limit":1,"spent":1,"requested":1,"resets_at":"2026-01-01T00:00:00Z"},"team_budget":{"limit":1,"spent":1,"requested":1},
"rate":{"limit":1,"spent":1,"requested":1},"team_rate":{"limit":1,"spent":1,"requested":1}}"#;

/// A request with nothing that can be absent.
const BARE_REQUEST: &str = r#"{"action":"probe","model":"m"}"#;

/// What the schema does not admit, one sentence each.
#[must_use]
pub fn probe(set: &PolicySet) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (Some(maker), Some(schema)) = (set.maker(), set.schema.as_ref()) else { return found };
    let core = CoreSchema::new(schema);
    let checker = EntitySchemaConformanceChecker::new(&core, Extensions::all_available());
    let limits = Limits::default();
    for ty in ["api_token", "gateway_runtime", "provider_key", "user", "other"] {
        for text in [BARE, FULL] {
            let Ok(profile) = Profile::read(&text.replace("TYPE", ty), &limits) else { continue };
            match maker.principal(&profile) {
                Ok(facts) => {
                    for entity in &facts.entities {
                        found.extend(checker.validate_entity(entity).err().map(|error| error.to_string()));
                    }
                    requests(set, &core, &facts.uid, &limits, &mut found);
                }
                Err(error) => {
                    found.insert(error.to_string());
                }
            }
        }
    }
    found
}

fn requests(
    set: &PolicySet,
    core: &CoreSchema<'_>,
    principal: &cedar_policy_core::ast::EntityUID,
    limits: &Limits,
    found: &mut BTreeSet<String>,
) {
    let Some(maker) = set.maker() else { return };
    for (id, action) in &set.actions {
        for text in [BARE_REQUEST, FULL_REQUEST] {
            let Ok(request) = Request::read(text, "", limits) else { continue };
            let facts = match maker.request(id, action.takes, &request, &BTreeSet::new()) {
                Ok(facts) => facts,
                Err(error) => {
                    found.insert(error.to_string());
                    continue;
                }
            };
            let mut context = facts.context;
            context.set_some("at", value::datetime(Millis(0)));
            let asked = CedarRequest::new_unchecked(
                principal.clone().into(),
                action.uid.clone().into(),
                facts.resource.into(),
                Some(Context::Value(Arc::new(context.into_map()))),
            );
            let refused = core.validate_request(&asked, Extensions::all_available()).err();
            found.extend(refused.map(|error| error.to_string()));
        }
    }
}
