//! `attributes` of profiles and requests, by the types that a bundle's schema declares.
//!
//! Their text cannot name a type: an entity is written as its id, a time or an address as a string. What they are
//! is read from the schema, once.

use std::collections::HashMap;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use cedargate::model::{AttributeValue, Attributes};
use serde_json::Value;

/// How deep types are followed: deeper ones are taken for what their values look like.
const TYPE_DEPTH_MAX: usize = 16;

/// The type of an attribute, as far as its text needs one.
#[derive(Clone, Debug)]
pub enum Shape {
    /// What the text says: a boolean, a number, a string.
    Plain,
    /// An entity of this type.
    Entity(EntityTypeName),
    /// A value that this function of Cedar makes from a string: `ip`, `decimal`, `datetime`, `duration`.
    Extension(String),
    /// A set of such values.
    Set(Box<Shape>),
    /// A record with such fields.
    Record(HashMap<String, Shape>),
}

impl Shape {
    /// The type of this name among the common types of a schema without namespace, in Cedar's JSON form.
    #[must_use]
    pub fn named(schema: &Value, name: &str) -> Self {
        match schema.pointer("/commonTypes").and_then(|types| types.get(name)) {
            Some(declared) => Self::read(schema, declared, TYPE_DEPTH_MAX),
            None => Self::Plain,
        }
    }

    fn read(schema: &Value, declared: &Value, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Plain };
        let text = |field: &str| declared.get(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("type"), text("name"));
        match kind {
            "Record" => {
                let fields = declared.get("attributes").and_then(Value::as_object).into_iter().flatten();
                Self::Record(
                    fields.map(|(field, declared)| (field.clone(), Self::read(schema, declared, depth))).collect(),
                )
            }
            "Set" => Self::Set(Box::new(
                declared.get("element").map_or(Self::Plain, |element| Self::read(schema, element, depth)),
            )),
            "Extension" => Self::Extension(constructor(name)),
            "Entity" => name.parse().map_or(Self::Plain, Self::Entity),
            "EntityOrCommon" => Self::of_name(schema, name, depth),
            common => Self::of_name(schema, common, depth),
        }
    }

    fn of_name(schema: &Value, name: &str, depth: usize) -> Self {
        let has = |kind: &str| schema.get(kind).is_some_and(|declared| declared.get(name).is_some());
        let own = name.strip_prefix("__cedar::").unwrap_or(name);
        if let Some(common) = schema.pointer("/commonTypes").and_then(|types| types.get(name)) {
            Self::read(schema, common, depth)
        } else if has("entityTypes") {
            name.parse().map_or(Self::Plain, Self::Entity)
        } else if ["ipaddr", "decimal", "datetime", "duration"].contains(&own) {
            Self::Extension(constructor(own))
        } else {
            Self::Plain
        }
    }

    /// The attributes as Cedar reads them. The entities among them are added to `entities`.
    pub fn attributes(
        &self,
        attributes: &Attributes,
        entities: &mut Vec<EntityUid>,
    ) -> Result<RestrictedExpression, String> {
        let mut fields = Vec::new();
        for (name, value) in attributes.iter() {
            let shape = match self {
                Self::Record(shapes) => shapes.get(name).unwrap_or(&Self::Plain),
                _ => &Self::Plain,
            };
            fields.push((name.to_owned(), shape.value(value, entities)?));
        }
        RestrictedExpression::new_record(fields).map_err(|error| error.to_string())
    }

    fn value(&self, value: &AttributeValue, entities: &mut Vec<EntityUid>) -> Result<RestrictedExpression, String> {
        Ok(match (value, self) {
            (AttributeValue::Bool(value), _) => RestrictedExpression::new_bool(*value),
            (AttributeValue::Long(value), _) => RestrictedExpression::new_long(*value),
            (AttributeValue::String(id), Self::Entity(ty)) => {
                let uid = EntityUid::from_type_name_and_id(ty.clone(), EntityId::new(id));
                entities.push(uid.clone());
                RestrictedExpression::new_entity_uid(uid)
            }
            (AttributeValue::String(text), Self::Extension(function)) => match function.as_str() {
                "ip" => RestrictedExpression::new_ip(text),
                "decimal" => RestrictedExpression::new_decimal(text),
                "datetime" => RestrictedExpression::new_datetime(text),
                _ => RestrictedExpression::new_duration(text),
            },
            (AttributeValue::String(text), _) => RestrictedExpression::new_string(text.clone()),
            (AttributeValue::Set(values), shape) => {
                let element = if let Self::Set(element) = shape { element } else { &Self::Plain };
                let values: Result<Vec<_>, _> = values.iter().map(|value| element.value(value, entities)).collect();
                RestrictedExpression::new_set(values?)
            }
            // An entity may be written with its type, which is then the declared one.
            (AttributeValue::Record(fields), Self::Entity(_)) if fields.get("id").is_some() => {
                let id = fields.get("id").cloned().unwrap_or_else(|| AttributeValue::from(""));
                self.value(&id, entities)?
            }
            (AttributeValue::Record(fields), shape) => shape.attributes(fields, entities)?,
            (other, _) => return Err(format!("a value that this cannot read: {other:?}")),
        })
    }
}

fn constructor(name: &str) -> String {
    if name == "ipaddr" { "ip".to_owned() } else { name.to_owned() }
}
