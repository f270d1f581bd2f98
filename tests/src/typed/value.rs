//! Values of a type as Cedar's JSON, and now and then of another.

use super::vocabulary::{self, Field, IDS, Type, Vocabulary};
use crate::dice::Dice;
use crate::world::uid;
use serde_json::{Value, json};

/// Whole numbers: the ends, since there sums err.
pub const LONGS: [i64; 6] = [0, 1, -1, 42, i64::MAX, i64::MIN];
/// Strings.
pub const STRINGS: [&str; 5] = ["", "a", "abc", "a*c", "é\"\\"];
/// What `ip` takes.
pub const IPS: [&str; 5] = ["10.0.0.1", "10.0.0.0/8", "::1", "192.168.0.0/16", "::ffff:a00:1"];
/// What `decimal` takes.
pub const DECIMALS: [&str; 4] = ["0.0", "1.5", "-2.25", "922337203685477.5807"];
/// What `datetime` takes.
pub const DATETIMES: [&str; 4] =
    ["2026-01-01", "2026-04-23T12:45:00Z", "2026-04-23T14:45:00.001+0200", "1969-12-31T23:59:59.999Z"];
/// What `duration` takes.
pub const DURATIONS: [&str; 4] = ["0ms", "1h", "-2d3h", "106751991167d"];

/// A value of this type; in `slips` of a hundred places of another.
pub fn value(dice: &mut Dice, vocabulary: &Vocabulary, ty: &Type, slips: usize) -> Value {
    if dice.chance(slips) {
        let other = vocabulary::ty(dice, vocabulary.kinds.len(), 1);
        return value(dice, vocabulary, &other, 0);
    }
    match ty {
        Type::Bool => json!(dice.chance(50)),
        Type::Long => json!(dice.pick(&LONGS)),
        Type::String => json!(dice.pick(&STRINGS)),
        Type::Ip => extension(dice, "ip", &IPS),
        Type::Decimal => extension(dice, "decimal", &DECIMALS),
        Type::Datetime => extension(dice, "datetime", &DATETIMES),
        Type::Duration => extension(dice, "duration", &DURATIONS),
        Type::Entity(kind) => {
            let entity = entity(dice, vocabulary, *kind);
            // With a schema the short form means the same; without one it is a record.
            if dice.chance(25) { entity } else { json!({"__entity": entity}) }
        }
        Type::Set(inner) => (0..dice.below(3)).map(|_| value(dice, vocabulary, inner, slips)).collect(),
        Type::Record(fields) => record(dice, vocabulary, fields, slips),
    }
}

/// A record with these fields, the optional ones or not.
pub fn record(dice: &mut Dice, vocabulary: &Vocabulary, fields: &[Field], slips: usize) -> Value {
    let mut out = json!({});
    for field in fields {
        let there = if field.required { !dice.chance(slips) } else { dice.chance(50) };
        if there {
            out[field.name] = value(dice, vocabulary, &field.ty, slips);
        }
    }
    if dice.chance(slips) {
        out["unheard of"] = json!(1);
    }
    out
}

/// An entity of this kind. Not all of them exist.
pub fn entity(dice: &mut Dice, vocabulary: &Vocabulary, kind: usize) -> Value {
    let id = *dice.pick(vocabulary.kinds[kind].members.unwrap_or(&IDS));
    uid(&vocabulary.kind_name(kind), id)
}

fn extension(dice: &mut Dice, function: &str, arguments: &[&str]) -> Value {
    let argument = *dice.pick(arguments);
    // With a schema the string alone means the same; without one it is a string.
    if dice.chance(25) { json!(argument) } else { json!({"__extn": {"fn": function, "arg": argument}}) }
}
