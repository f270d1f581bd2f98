//! A set in Cedar's own forms.

use super::statics::Statics;
use cedar_policy_core::ast::{ActionConstraint, EntityUID, Policy, PolicySet as CedarSet};
use cedar_policy_core::validator::ValidatorSchema;

/// A set in Cedar's own forms. Deciding needs none of them.
#[derive(Debug)]
pub struct Full {
    /// The schema. `None` only in a general set.
    pub schema: Option<ValidatorSchema>,
    /// The bundle's entities and the schema's actions.
    pub statics: Statics,
    /// The policies, for the general door.
    pub cedar: CedarSet,
    /// The same policies, in the order of the table.
    pub policies: Vec<Policy>,
}

/// Whether a policy's scope admits an action. Scopes cannot err, so a policy that it leaves out is false.
#[must_use]
pub fn admits(policy: &Policy, action: &EntityUID, statics: &Statics) -> bool {
    let within =
        |group: &EntityUID| group == action || statics.get(action).is_some_and(|entity| entity.is_descendant_of(group));
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only.as_ref() == action,
        ActionConstraint::In(groups) => groups.iter().any(|group| within(group)),
    }
}
