//! Time as milliseconds since 1970-01-01T00:00:00Z.

use chrono::DateTime;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The largest number that the texts of the contract carry: 2^53.
pub const NUMBER_MAX: i64 = 1 << 53;

/// A point in time. Read from RFC 3339 with any offset and cut to milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Rfc3339)
    }
}

struct Rfc3339;

impl Visitor<'_> for Rfc3339 {
    type Value = Millis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as RFC 3339, such as `2026-04-23T12:45:00Z`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Millis, E> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Millis(time.timestamp_millis()))
            .map_err(|_| E::custom("a time is not RFC 3339, such as `2026-04-23T12:45:00Z`"))
    }
}
