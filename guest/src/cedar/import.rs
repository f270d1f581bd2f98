//! Cedar's values and entities as values of the set's layer. Only loading comes here.

use super::uid;
use crate::cedar::value;
use crate::facts::symbol::{Layer, Symbol, TEXT};
use crate::facts::value::{Heap, Place, Scratch, Value, World};
use crate::facts::vocabulary::Vocabulary;
use cedar_policy_core::ast::{
    Entity, EntityUID, Expr, ExprKind, Literal, PartialValue, Value as CedarValue, ValueKind,
};
use std::net::IpAddr;

/// The ten-thousandths of one.
const DECIMAL_ONE: i64 = 10_000;

/// The digits of a decimal behind its point.
const DECIMAL_DIGITS: usize = 4;

/// Where Cedar's values go.
#[derive(Debug)]
pub struct Import<'s> {
    /// Types and attributes.
    pub vocabulary: &'s mut Vocabulary,
    /// The set's layer.
    pub heap: &'s mut Heap,
}

impl Import<'_> {
    /// The number of a name.
    pub fn name(&mut self, ty: crate::facts::symbol::TypeId, text: &str) -> Symbol {
        self.heap.names.find(ty, text).unwrap_or_else(|| self.heap.names.add(ty, text))
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> Value {
        Value::Text(self.name(TEXT, text))
    }

    /// The number of an entity.
    pub fn sym(&mut self, uid: &EntityUID) -> Symbol {
        let ty = self.vocabulary.type_id(&uid.entity_type().to_string());
        self.name(ty, uid.eid().as_ref())
    }

    /// An entity.
    pub fn entity(&mut self, uid: &EntityUID) -> Value {
        let ty = self.vocabulary.type_id(&uid.entity_type().to_string());
        Value::Entity(ty, self.name(ty, uid.eid().as_ref()))
    }

    /// A value. `None` for an extension that this module does not know.
    pub fn value(&mut self, value: &CedarValue) -> Option<Value> {
        Some(match &value.value {
            ValueKind::Lit(Literal::Bool(value)) => Value::Bool(*value),
            ValueKind::Lit(Literal::Long(value)) => Value::Long(*value),
            ValueKind::Lit(Literal::String(text)) => self.text(text),
            ValueKind::Lit(Literal::EntityUID(uid)) => self.entity(uid),
            ValueKind::Set(set) => {
                let values: Option<Vec<Value>> = set.authoritative.iter().map(|value| self.value(value)).collect();
                self.set(values?)
            }
            ValueKind::Record(fields) => self.record(fields.iter().map(|(name, value)| (name.as_str(), value)))?,
            ValueKind::ExtensionValue(_) => extension(value)?,
        })
    }

    /// A set of values.
    pub fn set(&mut self, mut values: Vec<Value>) -> Value {
        let (empty, scratch) = (Heap::new(Layer::Request), Scratch::default());
        World { set: self.heap, principal: &empty, request: &empty, scratch: &scratch }.sort(&mut values);
        self.heap.add_sorted_set(&values)
    }

    fn record<'v>(&mut self, fields: impl Iterator<Item = (&'v str, &'v CedarValue)>) -> Option<Value> {
        let fields: Option<Vec<_>> =
            fields.map(|(name, value)| Some((self.vocabulary.attribute(name), self.value(value)?))).collect();
        Some(self.heap.add_record(&mut fields?))
    }

    /// An entity with its attributes, tags and ancestors.
    pub fn add(&mut self, entity: &Entity) -> Option<()> {
        let known = |value: &PartialValue| match value {
            PartialValue::Value(value) => Some(value.clone()),
            PartialValue::Residual(_) => None,
        };
        let mut attributes = Vec::new();
        for (name, value) in entity.attrs() {
            attributes.push((self.vocabulary.attribute(name), self.value(&known(value)?)?));
        }
        let mut tags = Vec::new();
        for (name, value) in entity.tags() {
            tags.push((self.name(TEXT, name).into(), self.value(&known(value)?)?));
        }
        let attributes = self.fields(attributes);
        let tags = self.fields(tags);
        let mut ancestors: Vec<Symbol> = entity.ancestors().map(|uid| self.sym(uid)).collect();
        let sym = self.sym(entity.uid());
        self.heap.add_entity(sym, attributes, tags, &mut ancestors);
        Some(())
    }

    fn fields(&mut self, mut fields: Vec<crate::facts::value::Field>) -> Option<Place> {
        match self.heap.add_record(&mut fields) {
            Value::Record(place) if !fields.is_empty() => Some(place),
            _ => None,
        }
    }
}

/// The value of one of Cedar's extensions. `None` for one that this module does not know.
#[must_use]
pub fn extension(value: &CedarValue) -> Option<Value> {
    let ValueKind::ExtensionValue(extension) = &value.value else { return None };
    match extension.typename().to_string().as_str() {
        "datetime" => Some(Value::DateTime(value::millis(value)?.0)),
        "duration" => match value::call("toMilliseconds", std::slice::from_ref(value))?.value {
            ValueKind::Lit(Literal::Long(ms)) => Some(Value::Duration(ms)),
            _ => None,
        },
        "decimal" => decimal(&written(value)?),
        "ipaddr" => range(&written(value)?),
        _ => None,
    }
}

/// The text that a value was constructed from.
fn written(value: &CedarValue) -> Option<String> {
    match Expr::from(value.clone()).expr_kind() {
        ExprKind::ExtensionFunctionApp { args, .. } => match args.first()?.expr_kind() {
            ExprKind::Lit(Literal::String(text)) => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// A decimal that Cedar has accepted.
fn decimal(text: &str) -> Option<Value> {
    let (whole, part) = text.split_once('.')?;
    let missing = DECIMAL_DIGITS.checked_sub(part.len())?;
    let part = part.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(u32::try_from(missing).ok()?)?)?;
    let ones = whole.parse::<i64>().ok()?.checked_mul(DECIMAL_ONE)?;
    let sum = if whole.starts_with('-') { ones.checked_sub(part) } else { ones.checked_add(part) };
    sum.map(Value::Decimal)
}

/// An address or a range that Cedar has accepted.
fn range(text: &str) -> Option<Value> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    Some(Value::Ip(address, prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 })))
}

/// A value of an extension from the text that its constructor takes. `None` where Cedar refuses it.
#[must_use]
pub fn construct(constructor: &str, text: &str) -> Option<Value> {
    uid::function(constructor)?;
    extension(&value::call(constructor, &[text.into()])?)
}

#[cfg(test)]
mod tests {
    use super::construct;
    use crate::facts::value::Value;

    #[test]
    fn extensions_keep_their_values() {
        for (constructor, text, value) in [
            ("decimal", "1.2", Value::Decimal(12_000)),
            ("decimal", "-0.0001", Value::Decimal(-1)),
            ("decimal", "-922337203685477.5808", Value::Decimal(i64::MIN)),
            ("decimal", "922337203685477.5807", Value::Decimal(i64::MAX)),
            ("datetime", "1970-01-02", Value::DateTime(86_400_000)),
            ("datetime", "1969-12-31T23:59:59.999Z", Value::DateTime(-1)),
            ("duration", "-1h1ms", Value::Duration(-3_600_001)),
            ("ip", "10.0.0.1", Value::Ip("10.0.0.1".parse().unwrap(), 32)),
            ("ip", "2001:db8::/32", Value::Ip("2001:db8::".parse().unwrap(), 32)),
        ] {
            assert_eq!(construct(constructor, text), Some(value), "{constructor}(\"{text}\")");
        }
        for (constructor, text) in [("decimal", "1"), ("ip", "::ffff:1.2.3.4"), ("duration", ""), ("datetime", "x")] {
            assert_eq!(construct(constructor, text), None);
        }
    }
}
