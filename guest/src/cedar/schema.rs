//! Schemas, as Cedar's parser and validator read them.

use super::policies::Policies;
use super::uid;
use crate::facts::kind::Kind;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::cedar_schema::SchemaWarning;
use cedar_policy_core::validator::{CedarSchemaError, ValidationError, ValidationMode, ValidationWarning, Validator};

pub use cedar_policy_core::validator::ValidatorSchema as Schema;

/// Reads a schema.
///
/// # Errors
/// What Cedar's parser says.
pub fn parse(text: &str) -> Result<(Schema, Vec<SchemaWarning>), Box<CedarSchemaError>> {
    let (schema, warnings) = Schema::from_cedarschema_str(text, Extensions::all_available()).map_err(Box::new)?;
    Ok((schema, warnings.collect()))
}

/// The required attributes of entities that are no principals, each with its type.
#[must_use]
pub fn required(schema: &Schema) -> Vec<(String, String)> {
    let is_principal = |ty| Kind::PRINCIPALS.iter().any(|kind| uid::entity_type(*kind) == ty);
    let entities = schema.entity_types().filter(|ty| !is_principal(ty.name()));
    let all = entities.flat_map(|ty| {
        let required = ty.attributes().iter().filter(|(_, declared)| declared.is_required());
        required.map(|(attribute, _)| (attribute.to_string(), ty.name().to_string())).collect::<Vec<_>>()
    });
    all.collect()
}

/// What the validator finds in one policy.
pub struct Finding {
    /// The policy's id.
    pub policy: String,
    /// Whether it is a warning.
    pub warning: bool,
    /// What it says, where, and what helps.
    pub said: Box<dyn miette::Diagnostic>,
}

/// Validates policies strictly.
#[must_use]
pub fn validate(schema: &Schema, policies: &Policies) -> Vec<Finding> {
    let result = Validator::new(schema.clone()).validate(policies.as_cedar(), ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| Finding {
        policy: of_error(error),
        warning: false,
        said: Box::new(error.clone()),
    });
    let warnings = result.validation_warnings().map(|warning| Finding {
        policy: of_warning(warning),
        warning: true,
        said: Box::new(warning.clone()),
    });
    errors.chain(warnings).collect()
}

fn of_error(error: &ValidationError) -> String {
    let id = match error {
        ValidationError::UnrecognizedEntityType(it) => &it.policy_id,
        ValidationError::UnrecognizedActionId(it) => &it.policy_id,
        ValidationError::UnexpectedType(it) => &it.policy_id,
        ValidationError::IncompatibleTypes(it) => &it.policy_id,
        ValidationError::UnsafeAttributeAccess(it) => &it.policy_id,
        ValidationError::UnsafeOptionalAttributeAccess(it) => &it.policy_id,
        ValidationError::UnsafeTagAccess(it) => &it.policy_id,
        ValidationError::NoTagsAllowed(it) => &it.policy_id,
        ValidationError::UndefinedFunction(it) => &it.policy_id,
        ValidationError::WrongNumberArguments(it) => &it.policy_id,
        ValidationError::FunctionArgumentValidation(it) => &it.policy_id,
        ValidationError::EmptySetForbidden(it) => &it.policy_id,
        ValidationError::NonLitExtConstructor(it) => &it.policy_id,
        ValidationError::InternalInvariantViolation(it) => &it.policy_id,
        ValidationError::InvalidEnumEntity(it) => &it.policy_id,
        ValidationError::EntityDerefLevelViolation(it) => &it.policy_id,
        ValidationError::IncompleteSchema(it) => &it.policy_id,
    };
    id.to_string()
}

fn of_warning(warning: &ValidationWarning) -> String {
    let id = match warning {
        ValidationWarning::MixedScriptString(it) => &it.policy_id,
        ValidationWarning::BidiCharsInString(it) => &it.policy_id,
        ValidationWarning::BidiCharsInIdentifier(it) => &it.policy_id,
        ValidationWarning::MixedScriptIdentifier(it) => &it.policy_id,
        ValidationWarning::ConfusableIdentifier(it) => &it.policy_id,
        ValidationWarning::ImpossiblePolicy(it) => &it.policy_id,
        ValidationWarning::InvalidActionApplication(it) => &it.policy_id,
    };
    id.to_string()
}
