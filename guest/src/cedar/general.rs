//! The general door: Cedar's own decision, reasons and errors for any principal, action, resource, context
//! and entities.

use super::full::Full;
use super::uid;
use crate::contract::bundle::Uid;
use crate::contract::profile::InputError;
use crate::contract::strict::{self, object, present};
use crate::decide::policy_set::PolicySet;
use crate::load::hierarchy::{HIERARCHY_DEPTH_MAX, Parents};
use cedar_policy_core::ast::{Context, Entity, EntityUID, Request, RequestSchema};
use cedar_policy_core::authorizer::{AuthorizationError, Authorizer, Decision};
use cedar_policy_core::entities::{ContextJsonParser, Entities, EntityJsonParser, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::{CoreSchema, context_schema_for_action};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    v: u8,
    #[serde(deserialize_with = "object")]
    principal: Uid,
    #[serde(deserialize_with = "object")]
    action: Uid,
    #[serde(deserialize_with = "object")]
    resource: Uid,
    #[serde(default, deserialize_with = "present")]
    context: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    entities: Option<Box<RawValue>>,
    /// Whether request and entities must conform to the schema. Without a schema it means nothing.
    #[serde(default = "yes")]
    validate: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize)]
struct Answer<'s> {
    v: u8,
    decision: &'static str,
    reasons: BTreeSet<String>,
    errors: BTreeSet<ErrorText>,
    policy_set: &'s str,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct ErrorText {
    policy: String,
    message: String,
}

/// Answers a call.
///
/// # Errors
/// [`InputError`].
pub fn authorize(set: &PolicySet, text: &str) -> Result<String, InputError> {
    if text.len() > set.limits().bundle_bytes {
        return Err(InputError::Invalid(format!("the call is longer than {} bytes", set.limits().bundle_bytes)));
    }
    let call: Call = strict::object_from_str(text).map_err(InputError::Malformed)?;
    if call.v != 1 {
        return Err(InputError::Malformed("the text's `v` is not 1: this component reads version 1".into()));
    }
    let (principal, action, resource) = (named(&call.principal)?, named(&call.action)?, named(&call.resource)?);
    let full = set.full().ok_or_else(|| InputError::Invalid("this set cannot be read again".into()))?;
    let schema = full.schema.as_ref().filter(|_| call.validate);
    let context = call.context.as_ref().map_or("{}", |raw| raw.get());
    let declared = schema.and_then(|schema| context_schema_for_action(schema, &action));
    let context = ContextJsonParser::new(declared.as_ref(), Extensions::all_available()).from_json_str(context);
    let context: Context = context.map_err(|error| invalid("context", &error))?;
    let entities = entities(full, call.entities.as_ref().map_or("[]", |raw| raw.get()), call.validate)?;
    let request = Request::new_unchecked(principal.into(), action.into(), resource.into(), Some(context));
    if let Some(schema) = schema {
        let core = CoreSchema::new(schema);
        core.validate_request(&request, Extensions::all_available()).map_err(|error| invalid("request", &error))?;
    }
    let response = Authorizer::new().is_authorized(request, &full.cedar, &entities);
    let errors = response.diagnostics.errors.into_iter().map(|error| match error {
        AuthorizationError::PolicyEvaluationError { id, error } => {
            ErrorText { policy: id.to_string(), message: error.to_string() }
        }
    });
    let answer = Answer {
        v: 1,
        decision: if response.decision == Decision::Allow { "allow" } else { "deny" },
        reasons: response.diagnostics.reason.iter().map(ToString::to_string).collect(),
        errors: errors.collect(),
        policy_set: &set.digest,
    };
    serde_json::to_string(&answer).map_err(|error| InputError::Invalid(error.to_string()))
}

fn entities(full: &Full, text: &str, validate: bool) -> Result<Entities, InputError> {
    if Parents::of_entities(text).too_deep().is_some() {
        return Err(InputError::Invalid(format!(
            "an entity has a chain of more than {HIERARCHY_DEPTH_MAX} parents above it"
        )));
    }
    let schema = full.schema.as_ref().filter(|_| validate).map(CoreSchema::new);
    let extensions = Extensions::all_available();
    let parsed: Result<Vec<Arc<Entity>>, _> = match &schema {
        Some(schema) => EntityJsonParser::new(Some(schema), extensions, TCComputation::ComputeNow)
            .iter_from_json_str(text)
            .map(|entities| entities.map(Arc::new).collect()),
        None => EntityJsonParser::<NoEntitiesSchema>::new(None, extensions, TCComputation::ComputeNow)
            .iter_from_json_str(text)
            .map(|entities| entities.map(Arc::new).collect()),
    };
    let parsed = parsed.map_err(|error| invalid("entities", &error))?;
    let base = full.statics.entities.clone();
    base.add_entities(parsed, schema.as_ref(), TCComputation::ComputeNow, extensions)
        .map_err(|error| invalid("entities", &error))
}

fn named(written: &Uid) -> Result<EntityUID, InputError> {
    uid::written(written).ok_or_else(|| InputError::Invalid(format!("`{}` is not an entity type", written.ty)))
}

fn invalid(what: &str, error: &dyn std::error::Error) -> InputError {
    let mut text = format!("{what}: {error}");
    if let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
    }
    InputError::Invalid(text)
}
