//! Reads a JSON body once, from its first byte to its last, without keeping what no decision needs.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::asked::Reading;
use super::key::{self, Key};
use super::limits::{DEPTH_MAX, KEYS_MAX};
use super::model_mention::Mentions;
use super::settings;
use super::skip::{Fault, Skip, fail};
use crate::catalogue::ModelId;
use crate::reply::{Invalid, Refusal};

/// Reads a body that is a JSON object in UTF-8.
pub(super) fn read(body: &[u8], gemini: bool) -> Result<Reading, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| Refusal::MediaTypeUnsupported)?;
    let fault = Cell::new(None);
    let mut parser = serde_json::Deserializer::from_str(text);
    let object = Object { text, gemini, skip: Skip { depth: DEPTH_MAX - 1, fault: &fault } };
    let read = object.deserialize(&mut parser).and_then(|reading| parser.end().map(|()| reading));
    read.map_err(|_| fault.get().unwrap_or(Invalid::NotAnObject).into())
}

/// The body's object.
struct Object<'de, 'f> {
    text: &'de str,
    gemini: bool,
    skip: Skip<'f>,
}

impl<'de> DeserializeSeed<'de> for Object<'de, '_> {
    type Value = Reading;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reading, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'de, '_> {
    type Value = Reading;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reading, A::Error> {
        let mut names: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        let mut keys: Vec<Key> = Vec::with_capacity(8);
        let mut reading = Reading::default();
        while let Some(written) = map.next_key_seed(Name)? {
            let folded = match &written {
                Cow::Borrowed(text) => key::fold(text),
                // A server that ends texts at a zero byte reads a shorter name.
                Cow::Owned(text) if text.contains(char::is_control) => {
                    return fail(self.skip.fault, Invalid::KeyDisguised);
                }
                Cow::Owned(text) => Cow::Owned(key::fold(text).into_owned()),
            };
            note(&names, &folded, self.skip.fault)?;
            let known = Key::of(&folded, self.gemini);
            if known.is_none() && Key::is_disguised(&folded, self.gemini) {
                return fail(self.skip.fault, Invalid::KeyDisguised);
            }
            names.push(folded);
            let Some((key, spellings)) = known else {
                map.next_value_seed(self.skip)?;
                continue;
            };
            self.check(key, &written, spellings, &mut keys)?;
            self.value(key, &mut map, &mut reading)?;
        }
        Ok(reading)
    }
}

impl<'de> Object<'de, '_> {
    /// A key that matters stands there once, plainly, and leads nowhere else.
    #[expect(clippy::ptr_arg, reason = "whether the name is borrowed says whether it was written plainly")]
    fn check<E: Error>(
        &self,
        key: Key,
        written: &Cow<'_, str>,
        spellings: &[&str],
        keys: &mut Vec<Key>,
    ) -> Result<(), E> {
        let plain = match written {
            Cow::Borrowed(text) => spellings.contains(text),
            // Only a name with escapes is not borrowed.
            Cow::Owned(_) => false,
        };
        if !plain && !matches!(key, Key::Routing(_)) {
            return fail(self.skip.fault, Invalid::KeyDisguised);
        }
        // The two spellings of one of Gemini's keys are one key.
        if keys.contains(&key) {
            return fail(self.skip.fault, Invalid::KeyRepeated);
        }
        keys.push(key);
        Ok(())
    }

    fn value<A: MapAccess<'de>>(&self, key: Key, map: &mut A, reading: &mut Reading) -> Result<(), A::Error> {
        let fault = self.skip.fault;
        match key {
            Key::Tools | Key::GenerateContentRequest => {
                let mentions = &mut reading.mentions;
                return map.next_value_seed(Mentions { skip: self.skip, gemini: self.gemini, found: mentions });
            }
            Key::Routing(field) => {
                reading.routing.push(field);
                return map.next_value_seed(self.skip);
            }
            Key::Model
            | Key::Stream
            | Key::StreamOptions
            | Key::OutputTokensMax(_)
            | Key::Choices(_)
            | Key::GenerationConfig => {}
        }
        let raw: &'de RawValue = map.next_value()?;
        self.raw_value(key, raw, reading).or_else(|cause| fail(fault, cause))
    }

    fn raw_value(&self, key: Key, raw: &'de RawValue, reading: &mut Reading) -> Result<(), Invalid> {
        let text = raw.get();
        match key {
            Key::Model => {
                let (id, prefixed) = model(text, self.gemini)?;
                reading.model = Some(id);
                reading.model_prefixed = prefixed;
                reading.model_at = Some(self.place(text));
            }
            Key::Stream => reading.stream = settings::flag(text, "stream")?,
            Key::StreamOptions => {
                let (include_usage, value) = settings::stream_options(text, self.skip.depth)?;
                reading.include_usage = include_usage;
                reading.include_usage_at = value.map(|value| self.place(value));
                reading.stream_options_at = Some(self.place(text));
            }
            Key::OutputTokensMax(name) => {
                reading.output_tokens_max = reading.output_tokens_max.max(settings::count(text, name)?);
            }
            Key::Choices(name) => reading.choices = reading.choices.max(settings::count(text, name)?),
            Key::GenerationConfig => {
                let (tokens, choices) = settings::generation_config(text, self.skip.depth)?;
                reading.output_tokens_max = tokens;
                reading.choices = choices;
            }
            // Whoever calls this has read these otherwise.
            Key::Tools | Key::GenerateContentRequest | Key::Routing(_) => return Err(Invalid::NotAnObject),
        }
        Ok(())
    }

    /// Where a part of the body stands in it.
    fn place(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        start..start.saturating_add(part.len())
    }
}

/// The model that a JSON string names, and whether `models/` stood before it, which Gemini's clients may write.
pub(super) fn model(text: &str, gemini: bool) -> Result<(ModelId, bool), Invalid> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(Invalid::Field("model"))?;
    let written: Cow<'_, str> = if inner.contains('\\') {
        Cow::Owned(serde_json::from_str(text).map_err(|_| Invalid::NotAnObject)?)
    } else {
        Cow::Borrowed(inner)
    };
    match written.strip_prefix("models/").filter(|_| gemini) {
        Some(id) => Ok((ModelId::new(id)?, true)),
        None => Ok((ModelId::new(&written)?, false)),
    }
}

/// Refuses a name that stands there already, and more names than there may be.
fn note<E: Error>(names: &[Cow<'_, str>], name: &str, fault: &Fault) -> Result<(), E> {
    if names.iter().any(|other| other == name) {
        return fail(fault, Invalid::KeyRepeated);
    }
    if names.len() >= KEYS_MAX { fail(fault, Invalid::TooManyKeys) } else { Ok(()) }
}

/// A name of a field: borrowed where it holds no escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
