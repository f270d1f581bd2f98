//! The types that a schema declares for `attributes`, in a form that needs no schema.

use crate::facts::symbol::TypeId;
use crate::facts::value::Attr;
use crate::facts::vocabulary::Vocabulary;
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
