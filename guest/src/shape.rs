//! The types that a schema declares for `attributes`, in a form that needs no schema.

use crate::names::TypeId;
use crate::val::Attr;
use crate::vocabulary::Vocabulary;
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::{EntityKind, OpenTag, Type};
use serde::{Deserialize, Serialize};

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// `Bool`.
    Bool,
    /// `Long`.
    Long,
    /// `String`.
    Text,
    /// An entity of one type.
    Entity {
        /// The type.
        ty: TypeId,
        /// The only ids that there are, where the schema lists them.
        choices: Option<Vec<String>>,
    },
    /// A set.
    Set(Box<Shape>),
    /// A record.
    Record {
        /// The fields, by their names.
        fields: Vec<FieldShape>,
        /// Whether there may be others, whose types nobody knows.
        open: bool,
    },
    /// A value of an extension: what it is called, and the function that makes it of a text.
    Extension {
        /// The type, for people.
        name: String,
        /// The constructor.
        constructor: String,
    },
    /// A type that no text can have.
    Other(String),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldShape {
    /// Its name.
    pub name: String,
    /// Its number.
    pub attr: Attr,
    /// Its type.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

impl Shape {
    /// The shape of a type.
    #[must_use]
    pub fn of(ty: &Type, schema: &ValidatorSchema, vocabulary: &mut Vocabulary) -> Self {
        match ty {
            Type::Bool(_) => Self::Bool,
            Type::Long => Self::Long,
            Type::String => Self::Text,
            Type::Entity(EntityKind::Entity(lub)) => match lub.get_single_entity() {
                Some(entity) => {
                    let declared = schema.get_entity_type(entity);
                    let choices = declared.and_then(|declared| match &declared.kind {
                        cedar_policy_core::validator::ValidatorEntityTypeKind::Enum(ids) => {
                            Some(ids.iter().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect())
                        }
                        _ => None,
                    });
                    Self::Entity { ty: vocabulary.type_id(&entity.to_string()), choices }
                }
                None => Self::Other(ty.to_string()),
            },
            Type::Set { element_type: Some(element) } => Self::Set(Box::new(Self::of(element, schema, vocabulary))),
            Type::Record { attrs, open_attributes } => {
                let fields = attrs.iter().map(|(name, declared)| FieldShape {
                    name: name.to_string(),
                    attr: vocabulary.attribute(name),
                    shape: Self::of(&declared.attr_type, schema, vocabulary),
                    required: declared.is_required(),
                });
                Self::Record { fields: fields.collect(), open: *open_attributes == OpenTag::OpenAttributes }
            }
            Type::ExtensionType { name } => {
                let name = name.to_string();
                let constructor = if name == "ipaddr" { "ip".to_owned() } else { name.clone() };
                Self::Extension { name, constructor }
            }
            Type::Never | Type::Entity(_) | Type::Set { element_type: None } => Self::Other(ty.to_string()),
        }
    }

    /// What a value of this type is, for people.
    #[must_use]
    pub fn name(&self, vocabulary: &Vocabulary) -> String {
        match self {
            Self::Bool => "Bool".to_owned(),
            Self::Long => "Long".to_owned(),
            Self::Text => "String".to_owned(),
            Self::Entity { ty, .. } => vocabulary.type_name(*ty).to_owned(),
            Self::Set(element) => format!("Set<{}>", element.name(vocabulary)),
            Self::Record { .. } => "record".to_owned(),
            Self::Extension { name, .. } | Self::Other(name) => name.clone(),
        }
    }
}
