//! Cedar values from and to Rust values.

use super::uid;
use crate::contract::time::Millis;
use cedar_policy_core::ast::Literal;
use cedar_policy_core::ast::{PartialValue, Value as CedarValue, ValueKind};
use cedar_policy_core::extensions::Extensions;

/// Calls a function of Cedar's extensions. `None` where it refuses its arguments.
#[must_use]
pub fn call(function: &str, arguments: &[CedarValue]) -> Option<CedarValue> {
    let name = uid::function(function)?;
    match Extensions::all_available().func(&name).ok()?.call(arguments).ok()? {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}

/// A time as Cedar's `datetime`.
#[must_use]
pub fn datetime(at: Millis) -> Option<CedarValue> {
    let epoch = call("datetime", &["1970-01-01".into()])?;
    let since = call("duration", &[format!("{}ms", at.0).into()])?;
    call("offset", &[epoch, since])
}

/// The milliseconds of a `datetime`. `None` for any other value.
#[must_use]
pub fn millis(value: &CedarValue) -> Option<Millis> {
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
    use crate::contract::time::{Millis, NUMBER_MAX};

    #[test]
    fn a_time_survives_the_way_through_cedar() {
        for ms in [0, 1, -1, 1_776_948_300_123, NUMBER_MAX, -NUMBER_MAX] {
            assert_eq!(datetime(Millis(ms)).as_ref().and_then(millis), Some(Millis(ms)));
        }
    }
}
