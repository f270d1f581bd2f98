//! The same facts for Cedar itself, and its own evaluation of every policy: the measure of the compiled form, and
//! what decides in its place where a policy has none.

use super::full::admits;
use crate::cedar::value;
use crate::contract::profile::InputError;
use crate::decide::Findings;
use crate::decide::policy_set::PolicySet;
use crate::facts::symbol::Symbol;
use crate::facts::value::{Heap, Place, Value, World};
use crate::facts::vocabulary::Vocabulary;
use crate::program::interpreter::Scene;
use cedar_policy_core::ast::{
    Context, Eid, Entity, EntityType, EntityUID, Literal, PartialValue, Request, Value as CedarValue,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

/// Turns values back into Cedar's.
#[derive(Debug, Clone, Copy)]
pub struct Export<'w> {
    /// Types and attributes.
    pub vocabulary: &'w Vocabulary,
    /// The layers.
    pub world: World<'w>,
}

impl Export<'_> {
    fn uid(&self, sym: Symbol) -> Option<EntityUID> {
        let (ty, id) = self.world.name(sym);
        let ty = EntityType::from_str(self.vocabulary.type_name(ty)).ok()?;
        Some(EntityUID::from_components(ty, Eid::new(id), None))
    }

    /// The entity that a value is.
    #[must_use]
    pub fn entity_uid(&self, value: Value) -> Option<EntityUID> {
        match value {
            Value::Entity(_, sym) => self.uid(sym),
            _ => None,
        }
    }

    /// A value.
    #[must_use]
    pub fn value(&self, value: Value) -> Option<CedarValue> {
        Some(match value {
            Value::Bool(value) => value.into(),
            Value::Long(value) => value.into(),
            Value::Text(text) => self.world.name(text).1.into(),
            Value::Entity(_, sym) => Literal::from(self.uid(sym)?).into(),
            Value::Decimal(value) => {
                let sign = if value < 0 { "-" } else { "" };
                let value = value.unsigned_abs();
                value::call("decimal", &[format!("{sign}{}.{:04}", value / 10_000, value % 10_000).into()])?
            }
            Value::DateTime(at) => value::datetime(crate::contract::time::Millis(at))?,
            Value::Duration(ms) => value::call("duration", &[format!("{ms}ms").into()])?,
            Value::Ip(address, prefix) => value::call("ip", &[format!("{address}/{prefix}").into()])?,
            Value::Set(place) => {
                let values: Option<Vec<CedarValue>> =
                    self.world.elements(place).iter().map(|value| self.value(*value)).collect();
                CedarValue::set(values?, None)
            }
            Value::Record(place) => CedarValue::record_arc(Arc::new(self.record(place)?), None),
        })
    }

    /// A record.
    #[must_use]
    pub fn record(&self, place: Place) -> Option<BTreeMap<SmolStr, CedarValue>> {
        let fields = self.world.fields(place);
        fields
            .iter()
            .map(|(attr, value)| Some((self.vocabulary.attribute_name(*attr).into(), self.value(*value)?)))
            .collect()
    }

    /// The entities of a layer.
    #[must_use]
    pub fn entities(&self, of: &Heap) -> Option<Vec<Arc<Entity>>> {
        of.entities().map(|entity| self.entity(entity).map(Arc::new)).collect()
    }

    fn entity(&self, entity: Symbol) -> Option<Entity> {
        let attributes = match self.world.attributes(entity) {
            Some(place) => self.record(place)?,
            None => BTreeMap::new(),
        };
        let mut tags = Vec::new();
        if let Some(place) = self.world.tags(entity) {
            for (tag, value) in self.world.fields(place).iter() {
                tags.push((self.world.name(Symbol(tag.0)).1.into(), PartialValue::Value(self.value(*value)?)));
            }
        }
        let parents: Option<HashSet<EntityUID>> = self.world.ancestors(entity).iter().map(|a| self.uid(*a)).collect();
        Some(Entity::new_with_attr_partial_value(
            self.uid(entity)?,
            attributes.into_iter().map(|(name, value)| (name, PartialValue::Value(value))),
            HashSet::new(),
            parents?,
            tags,
        ))
    }

    /// A request.
    #[must_use]
    pub fn request(&self, scene: &Scene<'_>) -> Option<Request> {
        let Value::Record(context) = scene.context else { return None };
        Some(Request::new_unchecked(
            self.entity_uid(scene.principal)?.into(),
            self.entity_uid(scene.action)?.into(),
            self.entity_uid(scene.resource)?.into(),
            Some(Context::Value(Arc::new(self.record(context)?))),
        ))
    }
}

fn unsaid() -> InputError {
    InputError::Invalid("the facts of this request cannot be said in Cedar".into())
}

/// Evaluates every policy whose scope admits the action.
///
/// # Errors
/// [`InputError::Invalid`] where a fact has no form in Cedar, which no fact is without.
pub fn evaluate(set: &PolicySet, scene: &Scene<'_>) -> Result<Findings, InputError> {
    let rules = set.rules.as_ref().ok_or_else(unsaid)?;
    let full = set.full().ok_or_else(unsaid)?;
    let export = Export { vocabulary: &rules.ground.vocabulary, world: scene.world };
    let mut merged: BTreeMap<EntityUID, Arc<Entity>> =
        full.statics.entities.iter().map(|entity| (entity.uid().clone(), Arc::new(entity.clone()))).collect();
    for layer in [scene.world.principal, scene.world.request] {
        for entity in export.entities(layer).ok_or_else(unsaid)? {
            merged.insert(entity.uid().clone(), entity);
        }
    }
    let entities = entities(merged).ok_or_else(unsaid)?;
    let request = export.request(scene).ok_or_else(unsaid)?;
    let action = export.entity_uid(scene.action).ok_or_else(unsaid)?;
    let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
    let mut findings = Findings::default();
    for (at, policy) in (0_u32..).zip(&full.policies) {
        if !admits(policy, &action, &full.statics) {
            continue;
        }
        match evaluator.evaluate(policy) {
            Ok(true) => findings.satisfied.push(at),
            Ok(false) => {}
            Err(error) => findings.errors.push((at, error.to_string())),
        }
    }
    Ok(findings)
}

/// Entities whose ancestors are complete. Made anew: `upsert_entities` takes the ancestors of an entity that it
/// replaces from all its descendants.
fn entities(merged: BTreeMap<EntityUID, Arc<Entity>>) -> Option<Entities> {
    let (check, extensions) = (TCComputation::AssumeAlreadyComputed, Extensions::all_available());
    let merged = merged.into_values().map(Arc::unwrap_or_clone);
    Entities::from_entities(merged, None::<&NoEntitiesSchema>, check, extensions).ok()
}
