//! Settings of an answer: whether it is streamed, how long it may be, how many there are.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Name;
use super::key::fold;
use super::limits::KEYS_MAX;
use super::skip::Skip;
use crate::reply::Invalid;

/// The largest count that is read, since other servers lose digits beyond it.
const COUNT_MAX: u64 = 1 << 53;

const STREAM_OPTIONS: &str = "stream_options";
const GENERATION_CONFIG: &str = "generationConfig";

/// `true`, `false`, or `null` for not said.
pub(super) fn flag(text: &str, name: &'static str) -> Result<Option<bool>, Invalid> {
    match text {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "null" => Ok(None),
        _ => Err(Invalid::Field(name)),
    }
}

/// A flag as a form writes it: some clients write `True` or `1`.
pub(super) fn form_flag(text: &str, name: &'static str) -> Result<Option<bool>, Invalid> {
    match text {
        "true" | "True" | "1" => Ok(Some(true)),
        "false" | "False" | "0" => Ok(Some(false)),
        _ => Err(Invalid::Field(name)),
    }
}

/// A whole number that is not negative, or `null` for not said.
pub(super) fn count(text: &str, name: &'static str) -> Result<Option<u64>, Invalid> {
    if text == "null" {
        return Ok(None);
    }
    let count = text.parse::<u64>().ok().filter(|count| *count <= COUNT_MAX);
    count.map(Some).ok_or(Invalid::Field(name))
}

/// `include_usage` of `stream_options`, and the text of its value where it stands there.
pub(super) fn stream_options(text: &str, depth: usize) -> Result<(Option<bool>, Option<&str>), Invalid> {
    for (name, value) in fields(text, depth, STREAM_OPTIONS)? {
        if name == "include_usage" {
            return Ok((flag(value, STREAM_OPTIONS)?, Some(value)));
        }
    }
    Ok((None, None))
}

/// How many tokens each answer may have, and how many answers there are, of Gemini's `generationConfig`.
pub(super) fn generation_config(text: &str, depth: usize) -> Result<(Option<u64>, Option<u64>), Invalid> {
    let (mut tokens, mut choices) = (None, None);
    for (name, value) in fields(text, depth, GENERATION_CONFIG)? {
        match &*name {
            "maxoutputtokens" | "max_output_tokens" => tokens = tokens.max(count(value, GENERATION_CONFIG)?),
            "candidatecount" | "candidate_count" => choices = choices.max(count(value, GENERATION_CONFIG)?),
            _ => {}
        }
    }
    Ok((tokens, choices))
}

/// The fields of a small object, their names folded, each name once; none where it is `null`.
fn fields<'t>(text: &'t str, depth: usize, name: &'static str) -> Result<Vec<(Cow<'t, str>, &'t str)>, Invalid> {
    if text == "null" {
        return Ok(Vec::new());
    }
    let Ok(Fields { list }) = serde_json::from_str::<Fields<'t>>(text) else { return Err(Invalid::Field(name)) };
    let mut fields: Vec<(Cow<'t, str>, &'t str)> = Vec::with_capacity(list.len());
    for (written, value) in list {
        let folded = match written {
            Cow::Borrowed(written) => fold(written),
            Cow::Owned(written) => Cow::Owned(fold(&written).into_owned()),
        };
        if fields.iter().any(|(other, _)| *other == folded) {
            return Err(Invalid::KeyRepeated);
        }
        check(value.get(), depth, name)?;
        fields.push((folded, value.get()));
    }
    Ok(fields)
}

/// Checks a value that was passed over.
fn check(text: &str, depth: usize, name: &'static str) -> Result<(), Invalid> {
    let fault = Cell::new(None);
    let skip = Skip { depth: depth.saturating_sub(1), fault: &fault };
    let checked = skip.deserialize(&mut serde_json::Deserializer::from_str(text));
    checked.map_err(|_| fault.get().unwrap_or(Invalid::Field(name)))
}

/// An object's names and values.
struct Fields<'t> {
    list: Vec<(Cow<'t, str>, &'t RawValue)>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = map.next_key_seed(Name)? {
                    if list.len() >= KEYS_MAX {
                        return Err(A::Error::custom("too many fields"));
                    }
                    list.push((name, map.next_value()?));
                }
                Ok(Fields { list })
            }
        }
        deserializer.deserialize_map(Object)
    }
}
