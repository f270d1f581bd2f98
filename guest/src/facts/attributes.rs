//! `attributes` of profiles and requests, converted by the types that the bundle's schema declares.
//!
//! The text has no way to name a type: an entity is written as its id, or as `{"type", "id"}` with the type
//! that the schema says; a time, a duration, an address and a decimal are written as strings. Cedar's escapes
//! `__entity` and `__extn` are refused, so that who fills in an attribute cannot choose its type.

use crate::cedar::import;
use crate::contract::strict::{self, Json};
use crate::facts::Mentioned;
use crate::facts::shape::{FieldShape, Shape};
use crate::facts::symbol::TypeId;
use crate::facts::value::Value;

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
pub fn convert(text: &str, declared: Option<&Shape>, seen: &mut Mentioned<'_>) -> Result<Value, AttributesError> {
    let json: Json = strict::from_str(text).map_err(AttributesError::Malformed)?;
    let depth_max = seen.maker.limits.attributes_depth;
    let mut reader = Reader { seen, depth_max, path: vec!["attributes".into()] };
    match declared {
        Some(declared) => reader.value(&json, declared),
        None => Err(reader.refuse("is not declared by the bundle's schema")),
    }
}

struct Reader<'r, 's> {
    seen: &'r mut Mentioned<'s>,
    depth_max: usize,
    path: Vec<String>,
}

impl Reader<'_, '_> {
    fn refuse(&self, why: impl Into<String>) -> AttributesError {
        AttributesError::Conform { path: self.path.join("."), why: why.into() }
    }

    fn value(&mut self, json: &Json, shape: &Shape) -> Result<Value, AttributesError> {
        if self.path.len() > self.depth_max {
            return Err(self.refuse(format!("is nested deeper than {} levels", self.depth_max)));
        }
        match (shape, json) {
            (Shape::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
            (Shape::Long, Json::Number(value)) => Ok(Value::Long(*value)),
            (Shape::Text, Json::Text(value)) => Ok(self.seen.text(value)),
            (Shape::Entity { ty, choices }, _) => self.entity(json, *ty, choices.as_deref()),
            (Shape::Set(element), Json::List(list)) => {
                let mut out = Vec::with_capacity(list.len());
                for (at, entry) in list.iter().enumerate() {
                    out.push(self.within(at.to_string(), |r| r.value(entry, element))?);
                }
                Ok(self.seen.set(out))
            }
            (Shape::Record { fields, open }, Json::Object(given)) => self.record(given, fields, *open),
            (Shape::Extension { name, constructor }, Json::Text(text)) => {
                import::construct(constructor, text).ok_or_else(|| self.refuse(format!("is not a {name}")))
            }
            _ => Err(self.refuse(format!("is not a {}", shape.name(&self.seen.maker.ground.vocabulary)))),
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
        given: &[(String, Json)],
        fields: &[FieldShape],
        open: bool,
    ) -> Result<Value, AttributesError> {
        let mut out = Vec::with_capacity(given.len());
        for (name, json) in given {
            let Some(declared) = fields.iter().find(|field| field.name == *name) else {
                let why = if open { "has no declared type" } else { "is not declared by the bundle's schema" };
                return self.within(name.clone(), |r| Err(r.refuse(why)));
            };
            let value = self.within(name.clone(), |r| r.value(json, &declared.shape))?;
            out.push((declared.attr, value));
        }
        for declared in fields.iter().filter(|field| field.required) {
            if !given.iter().any(|(name, _)| *name == declared.name) {
                return self.within(declared.name.clone(), |r| Err(r.refuse("is required by the bundle's schema")));
            }
        }
        Ok(self.seen.record(out))
    }

    fn entity(&mut self, json: &Json, ty: TypeId, choices: Option<&[String]>) -> Result<Value, AttributesError> {
        let name = self.seen.maker.ground.vocabulary.type_name(ty);
        let id = match json {
            Json::Text(id) => id,
            Json::Object(fields) => match fields.as_slice() {
                [(t, Json::Text(given)), (i, Json::Text(id))] | [(i, Json::Text(id)), (t, Json::Text(given))]
                    if t == "type" && i == "id" && given == name =>
                {
                    id
                }
                _ => return Err(self.refuse(format!("is not an id of {name}"))),
            },
            _ => return Err(self.refuse(format!("is not an id of {name}"))),
        };
        if choices.is_some_and(|choices| !choices.contains(id)) {
            return Err(self.refuse(format!("is not one of the ids that the schema lists for {name}")));
        }
        Ok(self.seen.entity(ty, id))
    }
}
