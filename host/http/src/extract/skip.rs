//! Passes over a JSON value: everything in it is checked, nothing is kept, and its depth is bounded.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::reply::Invalid;

/// Where the cause of a refusal is left: an error of the parser has only a text.
pub(super) type Fault = Cell<Option<Invalid>>;

/// Leaves the cause, and ends the parser.
pub(super) fn fail<T, E: Error>(fault: &Fault, cause: Invalid) -> Result<T, E> {
    fault.set(Some(cause));
    Err(E::custom("refused"))
}

/// A value that may nest as deep as this.
#[derive(Clone, Copy)]
pub(super) struct Skip<'f> {
    pub(super) depth: usize,
    pub(super) fault: &'f Fault,
}

impl<'f> Skip<'f> {
    /// What may stand within this value.
    pub(super) fn within<E: Error>(self) -> Result<Skip<'f>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Skip { depth, ..self }),
            None => fail(self.fault, Invalid::TooDeep),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let within = self.within()?;
        while list.next_element_seed(within)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let within = self.within()?;
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(within)?;
        }
        Ok(())
    }
}
