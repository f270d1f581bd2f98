//! Models that are named within a body: by a tool that calls one, or by a whole request in a request to count.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Name};
use super::key;
use super::skip::{Skip, fail};
use crate::catalogue::ModelId;
use crate::reply::Invalid;

/// Mentions that are kept: each must be the model that is asked for, so a second one already says nothing new.
const MENTIONS_MAX: usize = 64;

/// An object, or a list of objects, whose field `model` counts.
pub(super) struct Mentions<'f, 'm> {
    pub(super) skip: Skip<'f>,
    pub(super) gemini: bool,
    pub(super) found: &'m mut Vec<ModelId>,
}

impl<'de> DeserializeSeed<'de> for Mentions<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Mentions<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a list of objects or `null`")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let skip = self.skip.within()?;
        while list.next_element_seed(Mentions { skip, gemini: self.gemini, found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let skip = self.skip.within()?;
        while let Some(name) = map.next_key_seed(Name)? {
            let folded = key::fold(&name);
            if folded != "model" {
                // A server that trims names, or ends them at a zero byte, reads a model there.
                if folded.chars().filter(|c| c.is_alphanumeric()).eq("model".chars()) {
                    return fail(skip.fault, Invalid::KeyDisguised);
                }
                map.next_value_seed(skip)?;
                continue;
            }
            let raw: &'de RawValue = map.next_value()?;
            match json::model(raw.get(), self.gemini) {
                Ok((id, _)) if self.found.len() < MENTIONS_MAX => self.found.push(id),
                Ok(_) => return fail(skip.fault, Invalid::ModelConflict),
                Err(cause) => return fail(skip.fault, cause),
            }
        }
        Ok(())
    }
}
