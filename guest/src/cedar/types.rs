//! What a schema says of types, in forms that need no schema.

use crate::facts::shape::{FieldShape, Shape};
use crate::facts::value::Attr;
use crate::facts::vocabulary::{Fact, Vocabulary};
use crate::facts::{OUTSIDE, TokenShape};
use cedar_policy_core::validator::types::{EntityKind, OpenTag, Type};
use cedar_policy_core::validator::{ValidatorEntityTypeKind, ValidatorSchema};
use std::collections::BTreeSet;

/// The shape of a type.
#[must_use]
pub fn shape(ty: &Type, schema: &ValidatorSchema, vocabulary: &mut Vocabulary) -> Shape {
    match ty {
        Type::Bool(_) => Shape::Bool,
        Type::Long => Shape::Long,
        Type::String => Shape::Text,
        Type::Entity(EntityKind::Entity(lub)) => match lub.get_single_entity() {
            Some(entity) => {
                let declared = schema.get_entity_type(entity);
                let choices = declared.and_then(|declared| match &declared.kind {
                    ValidatorEntityTypeKind::Enum(ids) => {
                        Some(ids.iter().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect())
                    }
                    _ => None,
                });
                Shape::Entity { ty: vocabulary.type_id(&entity.to_string()), choices }
            }
            None => Shape::Other(ty.to_string()),
        },
        Type::Set { element_type: Some(element) } => Shape::Set(Box::new(shape(element, schema, vocabulary))),
        Type::Record { attrs, open_attributes } => {
            let fields = attrs.iter().map(|(name, declared)| FieldShape {
                name: name.to_string(),
                attr: vocabulary.attribute(name),
                shape: shape(&declared.attr_type, schema, vocabulary),
                required: declared.is_required(),
            });
            Shape::Record { fields: fields.collect(), open: *open_attributes == OpenTag::OpenAttributes }
        }
        Type::ExtensionType { name } => {
            let name = name.to_string();
            let constructor = if name == "ipaddr" { "ip".to_owned() } else { name.clone() };
            Shape::Extension { name, constructor }
        }
        Type::Never | Type::Entity(_) | Type::Set { element_type: None } => Shape::Other(ty.to_string()),
    }
}

/// The attributes that a schema declares with an entity type, or with a type that this module does not know.
pub fn to_entities<'t>(
    vocabulary: &mut Vocabulary,
    declared: impl Iterator<Item = (&'t str, &'t Type)>,
) -> BTreeSet<Attr> {
    let mut found = BTreeSet::new();
    let mut open: Vec<(String, &Type)> = declared.map(|(name, ty)| (name.to_owned(), ty)).collect();
    while let Some((name, ty)) = open.pop() {
        match ty {
            Type::Record { attrs, .. } => {
                open.extend(attrs.iter().map(|(name, attr)| (name.to_string(), attr.attr_type.as_ref())));
            }
            Type::Entity(_) => {
                found.insert(vocabulary.attribute(&name));
            }
            Type::Set { .. } | Type::Bool(_) | Type::Long | Type::String | Type::ExtensionType { .. } | Type::Never => {
            }
        }
    }
    found
}

/// Every attribute that the schema declares, with its type.
pub fn declared(schema: &ValidatorSchema) -> impl Iterator<Item = (&str, &Type)> {
    let entities = schema
        .entity_types()
        .flat_map(|ty| ty.attributes().iter())
        .map(|(name, attr)| (name.as_str(), attr.attr_type.as_ref()));
    let contexts = schema.action_ids().filter_map(|action| schema.context_type(action.name())).map(|ty| ("", ty));
    entities.chain(contexts)
}

/// The type of a field of a record.
pub fn field(ty: &Type, fact: Fact) -> Option<&Type> {
    match ty {
        Type::Record { attrs, .. } => attrs.get_attr(fact.name()).map(|attr| attr.attr_type.as_ref()),
        Type::Never
        | Type::Bool(_)
        | Type::Long
        | Type::String
        | Type::Set { .. }
        | Type::Entity(_)
        | Type::ExtensionType { .. } => None,
    }
}

/// What a schema declares of a token that is asked about.
pub fn token(ty: &Type, schema: &ValidatorSchema, vocabulary: &mut Vocabulary) -> TokenShape {
    TokenShape {
        attributes: field(ty, Fact::Attributes).map(|ty| shape(ty, schema, vocabulary)),
        outside: OUTSIDE.map(|fact| field(ty, fact).is_some()),
    }
}
