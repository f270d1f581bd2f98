//! Cedar values from and to Rust values.

use crate::kind;
use crate::time::Millis;
use cedar_policy_core::ast::Literal;
use cedar_policy_core::ast::{EntityUID, PartialValue, Value, ValueKind};
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A record under construction.
#[derive(Debug, Default)]
pub struct Record(BTreeMap<SmolStr, Value>);

impl Record {
    /// Sets a field.
    pub fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        self.0.insert(SmolStr::new_static(field), value.into());
    }

    /// Sets a field if there is a value.
    pub fn set_some(&mut self, field: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(field, value);
        }
    }

    /// The fields.
    #[must_use]
    pub fn into_map(self) -> BTreeMap<SmolStr, Value> {
        self.0
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Value::record_arc(std::sync::Arc::new(record.0), None)
    }
}

/// A set of entities.
#[must_use]
pub fn entities(uids: impl IntoIterator<Item = EntityUID>) -> Value {
    Value::set_of_lits(uids.into_iter().map(Literal::from), None)
}

/// Calls a function of Cedar's extensions. `None` where it refuses its arguments.
#[must_use]
pub fn call(function: &str, arguments: &[Value]) -> Option<Value> {
    let name = kind::function(function)?;
    match Extensions::all_available().func(&name).ok()?.call(arguments).ok()? {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}

/// A time as Cedar's `datetime`.
#[must_use]
pub fn datetime(at: Millis) -> Option<Value> {
    let epoch = call("datetime", &["1970-01-01".into()])?;
    let since = call("duration", &[format!("{}ms", at.0).into()])?;
    call("offset", &[epoch, since])
}

/// The milliseconds of a `datetime`. `None` for any other value.
#[must_use]
pub fn millis(value: &Value) -> Option<Millis> {
    let epoch = call("datetime", &["1970-01-01".into()])?;
    let since = call("durationSince", &[value.clone(), epoch])?;
    match call("toMilliseconds", &[since])?.value {
        ValueKind::Lit(Literal::Long(ms)) => Some(Millis(ms)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{datetime, millis};
    use crate::time::{Millis, NUMBER_MAX};

    #[test]
    fn a_time_survives_the_way_through_cedar() {
        for ms in [0, 1, -1, 1_776_948_300_123, NUMBER_MAX, -NUMBER_MAX] {
            assert_eq!(datetime(Millis(ms)).as_ref().and_then(millis), Some(Millis(ms)));
        }
    }
}
