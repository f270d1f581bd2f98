//! `attributes` of profiles and requests, converted by the types that the bundle's schema declares.
//!
//! The text has no way to name a type: an entity is written as its id, or as `{"type", "id"}` with the type
//! that the schema says; a time, a duration, an address and a decimal are written as strings. Cedar's escapes
//! `__entity` and `__extn` are refused, so that who fills in an attribute cannot choose its type.

use crate::limits::Limits;
use crate::strict::{self, Json};
use crate::value;
use cedar_policy_core::ast::{Eid, EntityType, EntityUID, Value};
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::{Attributes, EntityKind, OpenTag, Type};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A converted value and the entities that it mentions.
#[derive(Debug)]
pub struct Converted {
    /// The value.
    pub value: Value,
    /// The entities in it.
    pub entities: Vec<EntityUID>,
}

/// Why attributes do not conform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// The text is not JSON as attributes may hold it.
    #[error("attributes: {0}")]
    Malformed(String),
    /// The schema does not declare this.
    #[error("`{path}` {why}")]
    Conform {
        /// Where, from `attributes` on.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Converts a text to the type that the schema declares for it. `None` is no declaration.
///
/// # Errors
/// [`AttributesError`].
pub fn convert(
    text: &str,
    declared: Option<&Type>,
    schema: &ValidatorSchema,
    limits: &Limits,
) -> Result<Converted, AttributesError> {
    let json: Json = strict::from_str(text).map_err(AttributesError::Malformed)?;
    let mut reader =
        Reader { schema, depth_max: limits.attributes_depth, entities: Vec::new(), path: vec!["attributes".into()] };
    let Some(declared) = declared else {
        return Err(reader.refuse("is not declared by the bundle's schema"));
    };
    let value = reader.value(&json, declared)?;
    Ok(Converted { value, entities: reader.entities })
}

struct Reader<'s> {
    schema: &'s ValidatorSchema,
    depth_max: usize,
    entities: Vec<EntityUID>,
    path: Vec<String>,
}

impl Reader<'_> {
    fn refuse(&self, why: impl Into<String>) -> AttributesError {
        AttributesError::Conform { path: self.path.join("."), why: why.into() }
    }

    fn value(&mut self, json: &Json, ty: &Type) -> Result<Value, AttributesError> {
        if self.path.len() > self.depth_max {
            return Err(self.refuse(format!("is nested deeper than {} levels", self.depth_max)));
        }
        match (ty, json) {
            (Type::Bool(_), Json::Bool(value)) => Ok((*value).into()),
            (Type::Long, Json::Number(value)) => Ok((*value).into()),
            (Type::String, Json::Text(value)) => Ok(value.as_str().into()),
            (Type::Entity(EntityKind::Entity(lub)), _) => match lub.get_single_entity() {
                Some(ty) => self.entity(json, ty),
                None => Err(self.refuse("has a type that cannot be written here")),
            },
            (Type::Set { element_type: Some(ty) }, Json::List(list)) => {
                let mut out = Vec::with_capacity(list.len());
                for (at, entry) in list.iter().enumerate() {
                    out.push(self.within(at.to_string(), |r| r.value(entry, ty))?);
                }
                Ok(Value::set(out, None))
            }
            (Type::Record { attrs, open_attributes }, Json::Object(fields)) => {
                self.record(fields, attrs, *open_attributes)
            }
            (Type::ExtensionType { name }, Json::Text(text)) => {
                let constructor = if name.to_string() == "ipaddr" { "ip".to_owned() } else { name.to_string() };
                value::call(&constructor, &[text.as_str().into()])
                    .ok_or_else(|| self.refuse(format!("is not a {name}")))
            }
            _ => Err(self.refuse(format!("is not a {ty}"))),
        }
    }

    fn within<T>(
        &mut self,
        part: String,
        then: impl FnOnce(&mut Self) -> Result<T, AttributesError>,
    ) -> Result<T, AttributesError> {
        self.path.push(part);
        let out = then(self)?;
        self.path.pop();
        Ok(out)
    }

    fn record(
        &mut self,
        fields: &[(String, Json)],
        attrs: &Attributes,
        open: OpenTag,
    ) -> Result<Value, AttributesError> {
        let mut out: BTreeMap<SmolStr, Value> = BTreeMap::new();
        for (field, json) in fields {
            let Some(declared) = attrs.get_attr(field) else {
                let why = if open == OpenTag::OpenAttributes {
                    "has no declared type"
                } else {
                    "is not declared by the bundle's schema"
                };
                return self.within(field.clone(), |r| Err(r.refuse(why)));
            };
            let value = self.within(field.clone(), |r| r.value(json, &declared.attr_type))?;
            out.insert(field.as_str().into(), value);
        }
        for (field, declared) in attrs.iter() {
            if declared.is_required() && !out.contains_key(field) {
                return self.within(field.to_string(), |r| Err(r.refuse("is required by the bundle's schema")));
            }
        }
        Ok(Value::record_arc(std::sync::Arc::new(out), None))
    }

    fn entity(&mut self, json: &Json, ty: &EntityType) -> Result<Value, AttributesError> {
        let id = match json {
            Json::Text(id) => id,
            Json::Object(fields) => match fields.as_slice() {
                [(t, Json::Text(given)), (i, Json::Text(id))] | [(i, Json::Text(id)), (t, Json::Text(given))]
                    if t == "type" && i == "id" && *given == ty.to_string() =>
                {
                    id
                }
                _ => return Err(self.refuse(format!("is not an id of {ty}"))),
            },
            _ => return Err(self.refuse(format!("is not an id of {ty}"))),
        };
        let uid = EntityUID::from_components(ty.clone(), Eid::new(id.as_str()), None);
        if cedar_policy_core::entities::conformance::validate_euid(
            &cedar_policy_core::validator::CoreSchema::new(self.schema),
            &uid,
        )
        .is_err()
        {
            return Err(self.refuse(format!("is not one of the ids that the schema lists for {ty}")));
        }
        self.entities.push(uid.clone());
        Ok(uid.into())
    }
}
