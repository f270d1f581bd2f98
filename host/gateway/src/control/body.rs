//! The body of a request, read field by field: what can be said of it, and the first mistake in it.
//!
//! Whether somebody may do a thing is decided before what he wrote is criticised, so that a mistake tells nobody
//! anything who may not. What cannot be read counts as not said, and whoever may do it hears of it then.

use std::fmt;
use std::str::FromStr;

use cedargate_tokens::{TEXT_BYTES_MAX, Update, mask_secrets};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::answer::Failure;
use crate::config::is_name;

/// Fields of a body that were not asked for yet.
pub(super) struct Said<'b> {
    fields: Vec<(String, &'b RawValue)>,
    mistake: Option<Failure>,
}

impl<'b> Said<'b> {
    /// Reads a body. One that is no object says nothing.
    pub(super) fn read(body: &'b [u8]) -> Self {
        match serde_json::from_slice::<Fields<'b>>(body) {
            Ok(Fields(fields)) => {
                let mut said = Self::nothing(None);
                let is_twice = |name: &str| fields.iter().filter(|(other, _)| other == name).count() > 1;
                for (name, value) in &fields {
                    if is_twice(name) {
                        // Which of them is meant would be a guess.
                        said.mistaken(format_args!("`{}` stands twice", name.escape_debug()));
                    } else {
                        said.fields.push((name.clone(), value));
                    }
                }
                said
            }
            Err(error) => {
                let mut said = Self::nothing(None);
                said.mistaken(error);
                said
            }
        }
    }

    /// Reads a body that may be left out.
    pub(super) fn read_if_there(body: &'b [u8]) -> Self {
        if body.is_empty() { Self::nothing(None) } else { Self::read(body) }
    }

    /// Nothing is said, for this reason if there is one.
    pub(super) fn nothing(mistake: Option<Failure>) -> Self {
        Self { fields: Vec::new(), mistake }
    }

    /// Keeps a mistake, the first of them.
    pub(super) fn mistaken(&mut self, what: impl fmt::Display) {
        let text = || format!("the body is not what it must be: {}", mask_secrets(&what.to_string()));
        self.mistake.get_or_insert_with(|| Failure::unreadable(&text()));
    }

    /// What is wrong with the body, fields among it that nobody asked for.
    pub(super) fn mistake(mut self) -> Option<Failure> {
        let unknown = self.fields.first().map(|(name, _)| name.escape_debug().take(64).collect::<String>());
        if let Some(unknown) = unknown {
            self.mistaken(format_args!("unknown field `{unknown}`"));
        }
        self.mistake
    }

    /// The value of a field; nothing where it is absent, `null`, or cannot be read.
    pub(super) fn value<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match self.update(name) {
            Update::To(value) => Some(value),
            Update::Keep | Update::Clear => None,
        }
    }

    /// The value of a field that is written as a text.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        let parsed = self.value::<String>(name)?.parse();
        parsed.inspect_err(|error| self.mistaken(format_args!("`{name}`: {error}"))).ok()
    }

    /// A text that policies can compare.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let text = self.value::<String>(name)?;
        if text.len() > TEXT_BYTES_MAX {
            self.mistaken(format_args!("`{name}` is longer than {TEXT_BYTES_MAX} bytes"));
            return None;
        }
        Some(text)
    }

    /// The id of a place.
    pub(super) fn id(&mut self, name: &str) -> Option<String> {
        match self.id_update(name) {
            Update::To(id) => Some(id),
            Update::Keep | Update::Clear => None,
        }
    }

    /// What becomes of a value: what is absent or cannot be read stays, and `null` takes a value away.
    pub(super) fn update<T: DeserializeOwned>(&mut self, name: &str) -> Update<T> {
        let Some(place) = self.fields.iter().position(|(field, _)| field == name) else { return Update::Keep };
        let (_, raw) = self.fields.remove(place);
        match serde_json::from_str::<Option<T>>(raw.get()) {
            Ok(Some(value)) => Update::To(value),
            Ok(None) => Update::Clear,
            Err(error) => {
                self.mistaken(format_args!("`{name}`: {error}"));
                Update::Keep
            }
        }
    }

    /// What becomes of the id of a place.
    pub(super) fn id_update(&mut self, name: &str) -> Update<String> {
        match self.update::<String>(name) {
            Update::To(id) if !is_name(&id) => {
                self.mistaken(format_args!(
                    "`{name}` cannot be an id: write 1 to 256 bytes without control characters and without blanks at the ends"
                ));
                Update::Keep
            }
            update => update,
        }
    }
}

/// An object's fields in their order, with those that stand twice.
struct Fields<'b>(Vec<(String, &'b RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                    if fields.len() > FIELDS_MAX {
                        return Err(de::Error::custom(format_args!("more than {FIELDS_MAX} fields")));
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Fields of one body: more than there are names, and few enough to compare each with each.
const FIELDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_said_and_not_forgotten() {
        for body in [r#"[]"#, r#""x""#, "", "{", "\u{feff}{}", r#"{"a":1} {}"#, "null"] {
            let mut said = Said::read(body.as_bytes());
            assert_eq!(said.value::<u32>("a"), None, "{body}");
            assert!(said.mistake().is_some(), "{body}");
        }
        for (body, value) in
            [(r#"{"a":1,"a":2}"#, None), (r#"{"a":"1"}"#, None), (r#"{"a":-1}"#, None), (r#"{"a":1,"b":2}"#, Some(1))]
        {
            let mut said = Said::read(body.as_bytes());
            assert_eq!(said.value::<u32>("a"), value, "{body}");
            assert!(said.mistake().is_some(), "{body}");
        }
        let mut said = Said::read(br#"{"a":null,"b":7,"c":"eu"}"#);
        assert_eq!((said.update::<u32>("a"), said.update::<u32>("b")), (Update::Clear, Update::To(7)));
        assert_eq!((said.update::<u32>("x"), said.id("c").as_deref()), (Update::Keep, Some("eu")));
        assert!(said.mistake().is_none());
        assert!(Said::read_if_there(b"").mistake().is_none());
    }

    #[test]
    fn ids_are_ids() {
        for id in ["", " x", "x\\n", &"x".repeat(257)] {
            let body = format!(r#"{{"team_id":"{id}"}}"#);
            let mut said = Said::read(body.as_bytes());
            assert_eq!(said.id_update("team_id"), Update::Keep, "{id}");
            assert!(said.mistake().is_some(), "{id}");
        }
    }
}
