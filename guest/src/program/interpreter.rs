//! Evaluates compiled conditions, with Cedar's results and Cedar's errors.

use crate::facts::symbol::Symbol;
use crate::facts::value::{Attr, Place, Value, World};
use crate::program::code::{Code, N, Node, One, Two, Variable};
use std::fmt;
use std::net::IpAddr;

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fail {
    /// A value of another type was needed. The validator refuses policies that can come here.
    Type,
    /// An attribute, a field or a tag that is not there.
    Missing,
    /// A number beyond 64 bits.
    Overflow,
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "a value has not the type that is needed",
            Self::Missing => "an attribute or a tag is read that is not there: ask with `has` or `hasTag` first",
            Self::Overflow => "a number does not fit into 64 bits",
        })
    }
}

/// What an expression is evaluated against.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'w> {
    /// The compiled conditions.
    pub code: &'w Code,
    /// The layers.
    pub world: World<'w>,
    /// Who asks.
    pub principal: Value,
    /// For what.
    pub action: Value,
    /// About what.
    pub resource: Value,
    /// With which facts.
    pub context: Value,
}

impl Scene<'_> {
    /// Whether a condition holds.
    ///
    /// # Errors
    /// [`Fail`].
    pub fn holds(&self, at: N) -> Result<bool, Fail> {
        let Some(node) = self.code.node(at) else { return Err(Fail::Type) };
        match *node {
            Node::Const(Value::Bool(value)) => Ok(value),
            Node::And(left, right) => Ok(self.holds(left)? && self.holds(right)?),
            Node::Or(left, right) => Ok(self.holds(left)? || self.holds(right)?),
            Node::If(test, then, other) => self.holds(if self.holds(test)? { then } else { other }),
            Node::One(One::Not, operand) => Ok(!self.holds(operand)?),
            Node::One(op, operand) => boolean(self.one(op, self.value(operand)?)?),
            Node::Two(Two::Add | Two::Sub | Two::Mul | Two::GetTag | Two::Offset | Two::DurationSince, ..)
            | Node::Const(_)
            | Node::Var(_)
            | Node::Get(..)
            | Node::Set(_)
            | Node::Record(..) => boolean(self.value(at)?),
            Node::Two(op, left, right) => self.relation(op, self.value(left)?, self.value(right)?),
            Node::Has(of, attr) => Ok(self.get(self.value(of)?, attr)?.is_some()),
            Node::HasPath(of, path) => {
                let mut value = self.value(of)?;
                for attr in self.code.attributes(path) {
                    let Some(next) = self.get(value, *attr)? else { return Ok(false) };
                    value = next;
                }
                Ok(true)
            }
            Node::Like(text, pattern) => {
                let Value::Text(text) = self.value(text)? else { return Err(Fail::Type) };
                let pattern = self.code.pattern(pattern).ok_or(Fail::Type)?;
                Ok(pattern.matches(self.world.name(text).1))
            }
            Node::Is(entity, wanted) => match self.value(entity)? {
                Value::Entity(ty, _) => Ok(ty == wanted),
                _ => Err(Fail::Type),
            },
        }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// [`Fail`].
    pub fn value(&self, at: N) -> Result<Value, Fail> {
        let Some(node) = self.code.node(at) else { return Err(Fail::Type) };
        match *node {
            Node::Const(value) => Ok(value),
            Node::Var(Variable::Principal) => Ok(self.principal),
            Node::Var(Variable::Action) => Ok(self.action),
            Node::Var(Variable::Resource) => Ok(self.resource),
            Node::Var(Variable::Context) => Ok(self.context),
            Node::Get(of, attr) => self.get(self.value(of)?, attr)?.ok_or(Fail::Missing),
            Node::If(test, then, other) => self.value(if self.holds(test)? { then } else { other }),
            Node::One(One::Not, _)
            | Node::And(..)
            | Node::Or(..)
            | Node::Has(..)
            | Node::HasPath(..)
            | Node::Like(..)
            | Node::Is(..) => self.holds(at).map(Value::Bool),
            Node::One(op, operand) => self.one(op, self.value(operand)?),
            Node::Two(op, left, right) => self.two(op, self.value(left)?, self.value(right)?),
            Node::Set(run) => {
                let values: Result<Vec<Value>, Fail> =
                    self.code.operands(run).iter().map(|at| self.value(*at)).collect();
                Ok(self.world.make_set(values?))
            }
            Node::Record(names, values) => {
                let fields = self.code.attributes(names).iter().zip(self.code.operands(values));
                let fields: Result<Vec<_>, Fail> = fields.map(|(attr, at)| Ok((*attr, self.value(*at)?))).collect();
                Ok(self.world.make_record(fields?))
            }
        }
    }

    fn get(&self, of: Value, attr: Attr) -> Result<Option<Value>, Fail> {
        match of {
            Value::Record(record) => Ok(self.world.field(record, attr)),
            Value::Entity(_, entity) => {
                Ok(self.world.attributes(entity).and_then(|record| self.world.field(record, attr)))
            }
            _ => Err(Fail::Type),
        }
    }

    fn one(&self, op: One, value: Value) -> Result<Value, Fail> {
        Ok(match (op, value) {
            (One::Not, Value::Bool(value)) => Value::Bool(!value),
            (One::Neg, Value::Long(value)) => Value::Long(value.checked_neg().ok_or(Fail::Overflow)?),
            (One::IsEmpty, Value::Set(set)) => Value::Bool(self.world.elements(set).is_empty()),
            (One::IsIpv4, Value::Ip(address, _)) => Value::Bool(address.is_ipv4()),
            (One::IsIpv6, Value::Ip(address, _)) => Value::Bool(address.is_ipv6()),
            (One::IsLoopback, Value::Ip(address, prefix)) => {
                Value::Bool(address.is_loopback() && prefix >= if address.is_ipv4() { 8 } else { 128 })
            }
            (One::IsMulticast, Value::Ip(address, prefix)) => {
                Value::Bool(address.is_multicast() && prefix >= if address.is_ipv4() { 4 } else { 8 })
            }
            (One::ToDate, Value::DateTime(at)) => {
                Value::DateTime(at.checked_sub(at.rem_euclid(DAY_MS)).ok_or(Fail::Overflow)?)
            }
            (One::ToTime, Value::DateTime(at)) => Value::Duration(at.rem_euclid(DAY_MS)),
            (One::ToMilliseconds, Value::Duration(ms)) => Value::Long(ms),
            (One::ToSeconds, Value::Duration(ms)) => Value::Long(ms / 1_000),
            (One::ToMinutes, Value::Duration(ms)) => Value::Long(ms / 60_000),
            (One::ToHours, Value::Duration(ms)) => Value::Long(ms / 3_600_000),
            (One::ToDays, Value::Duration(ms)) => Value::Long(ms / DAY_MS),
            _ => return Err(Fail::Type),
        })
    }

    fn two(&self, op: Two, left: Value, right: Value) -> Result<Value, Fail> {
        Ok(match (op, left, right) {
            (Two::Add, Value::Long(a), Value::Long(b)) => Value::Long(a.checked_add(b).ok_or(Fail::Overflow)?),
            (Two::Sub, Value::Long(a), Value::Long(b)) => Value::Long(a.checked_sub(b).ok_or(Fail::Overflow)?),
            (Two::Mul, Value::Long(a), Value::Long(b)) => Value::Long(a.checked_mul(b).ok_or(Fail::Overflow)?),
            (Two::GetTag, Value::Entity(_, entity), Value::Text(tag)) => self.tag(entity, tag).ok_or(Fail::Missing)?,
            (Two::Offset, Value::DateTime(at), Value::Duration(by)) => {
                Value::DateTime(at.checked_add(by).ok_or(Fail::Overflow)?)
            }
            (Two::DurationSince, Value::DateTime(at), Value::DateTime(since)) => {
                Value::Duration(at.checked_sub(since).ok_or(Fail::Overflow)?)
            }
            _ => Value::Bool(self.relation(op, left, right)?),
        })
    }

    fn relation(&self, op: Two, left: Value, right: Value) -> Result<bool, Fail> {
        match (op, left, right) {
            (Two::Eq, a, b) => Ok(self.world.same(&a, &b)),
            (Two::Less, a, b) => Ok(compare(a, b)?.is_lt()),
            (Two::LessEq, a, b) => Ok(compare(a, b)?.is_le()),
            (Two::In, Value::Entity(_, a), Value::Entity(_, b)) => Ok(self.world.is_in(a, b)),
            (Two::In, Value::Entity(_, a), Value::Set(set)) => self.in_any(a, set),
            (Two::Contains, Value::Set(set), value) => Ok(self.world.contains(&self.world.elements(set), &value)),
            (Two::ContainsAll, Value::Set(all), Value::Set(part)) => {
                let all = self.world.elements(all);
                Ok(self.world.elements(part).iter().all(|value| self.world.contains(&all, value)))
            }
            (Two::ContainsAny, Value::Set(all), Value::Set(part)) => {
                let all = self.world.elements(all);
                Ok(self.world.elements(part).iter().any(|value| self.world.contains(&all, value)))
            }
            (Two::HasTag, Value::Entity(_, entity), Value::Text(tag)) => Ok(self.tag(entity, tag).is_some()),
            (Two::DecimalLess, Value::Decimal(a), Value::Decimal(b)) => Ok(a < b),
            (Two::DecimalLessEq, Value::Decimal(a), Value::Decimal(b)) => Ok(a <= b),
            (Two::IsInRange, Value::Ip(a, of_a), Value::Ip(b, of_b)) => Ok(is_in_range((a, of_a), (b, of_b))),
            _ => Err(Fail::Type),
        }
    }

    fn tag(&self, entity: Symbol, tag: Symbol) -> Option<Value> {
        self.world.field(self.world.tags(entity)?, tag.into())
    }

    fn in_any(&self, entity: Symbol, set: Place) -> Result<bool, Fail> {
        let others = self.world.elements(set);
        let mut found = false;
        let ancestors = self.world.ancestors(entity);
        for other in others.iter() {
            // A set with something else than entities is an error, wherever it stands.
            let Value::Entity(_, other) = other else { return Err(Fail::Type) };
            found = found || entity == *other || ancestors.contains(other);
        }
        Ok(found)
    }
}

const DAY_MS: i64 = 86_400_000;

fn boolean(value: Value) -> Result<bool, Fail> {
    match value {
        Value::Bool(value) => Ok(value),
        _ => Err(Fail::Type),
    }
}

fn compare(a: Value, b: Value) -> Result<std::cmp::Ordering, Fail> {
    match (a, b) {
        (Value::Long(a), Value::Long(b))
        | (Value::DateTime(a), Value::DateTime(b))
        | (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(&b)),
        _ => Err(Fail::Type),
    }
}

/// Whether one range of addresses lies within another. The two families never meet.
fn is_in_range((a, of_a): (IpAddr, u8), (b, of_b): (IpAddr, u8)) -> bool {
    // The narrower range lies in the wider one when they agree in the wider one's prefix.
    let agree = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(of_b),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(of_b),
        _ => false,
    };
    agree && of_a >= of_b
}

#[cfg(test)]
mod tests {
    use super::is_in_range;

    #[test]
    fn a_range_lies_within_a_wider_one_of_its_family() {
        let range = |text: &str| {
            let (address, prefix) = text.split_once('/').unwrap();
            (address.parse().unwrap(), prefix.parse().unwrap())
        };
        for (a, b, within) in [
            ("10.1.2.3/32", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.0/9", false),
            ("10.0.0.0/7", "10.0.0.0/8", false),
            ("1.2.3.4/0", "9.9.9.9/0", true),
            ("::1/128", "::/0", true),
            ("::1/128", "0.0.0.0/0", false),
        ] {
            assert_eq!(is_in_range(range(a), range(b)), within, "{a} in {b}");
        }
    }
}
