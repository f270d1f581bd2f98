//! Values, sets, records and entities, in the three layers that a decision sees.

use crate::facts::symbol::{Layer, Symbol, Symbols, TEXT, TypeId};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::Deref;
use std::rc::Rc;

/// The number of an attribute's name. A tag's is that of its text, since any text can be a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attr(pub u32);

impl From<Symbol> for Attr {
    fn from(tag: Symbol) -> Self {
        Self(tag.0)
    }
}

/// Where a set or a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place(pub u32);

/// A value, as Cedar has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A string.
    Text(Symbol),
    /// An entity.
    Entity(TypeId, Symbol),
    /// A decimal, in ten-thousandths.
    Decimal(i64),
    /// A time, in milliseconds since 1970.
    DateTime(i64),
    /// A duration in milliseconds.
    Duration(i64),
    /// An address or a range of addresses.
    Ip(IpAddr, u8),
    /// A set, sorted and without repetition.
    Set(Place),
    /// A record, sorted by its fields.
    Record(Place),
}

/// A field of a record.
pub type Field = (Attr, Value);

/// An entity's data. An entity without data has no attributes and no ancestors.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct EntityData {
    entity: Symbol,
    attributes: Option<Place>,
    tags: Option<Place>,
    first: u32,
    last: u32,
}

/// Symbols, sets, records and entities of one layer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Heap {
    /// The names.
    pub names: Symbols,
    layer: Layer,
    values: Vec<Value>,
    sets: Vec<(u32, u32)>,
    fields: Vec<Field>,
    records: Vec<(u32, u32)>,
    entities: Vec<EntityData>,
    ancestors: Vec<Symbol>,
    /// The data of a name of the same layer: its place and one, or zero. Only in the layer of the set.
    data: Vec<u32>,
}

impl Heap {
    /// An empty heap.
    #[must_use]
    pub fn new(layer: Layer) -> Self {
        Self { names: Symbols::new(layer), layer, ..Self::default() }
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
        self.sets.clear();
        self.fields.clear();
        self.records.clear();
        self.entities.clear();
        self.ancestors.clear();
    }

    /// How much it holds: names, values and fields.
    #[must_use]
    pub fn size(&self) -> usize {
        self.names.len() + self.values.len() + self.fields.len()
    }

    /// Adds a set of values whose order is the order of [`World::order`] and among which none stands twice.
    pub fn add_sorted_set(&mut self, values: &[Value]) -> Value {
        let first = self.values.len();
        self.values.extend_from_slice(values);
        self.sets.push(range(first, self.values.len()));
        Value::Set(Place(self.layer.number(self.sets.len() - 1)))
    }

    /// Adds a record.
    pub fn add_record(&mut self, fields: &mut [Field]) -> Value {
        fields.sort_unstable_by_key(|(attr, _)| *attr);
        let first = self.fields.len();
        self.fields.extend_from_slice(fields);
        self.records.push(range(first, self.fields.len()));
        Value::Record(Place(self.layer.number(self.records.len() - 1)))
    }

    /// Gives an entity attributes, tags and ancestors.
    pub fn add_entity(
        &mut self,
        entity: Symbol,
        attributes: Option<Place>,
        tags: Option<Place>,
        ancestors: &mut Vec<Symbol>,
    ) {
        ancestors.sort_unstable();
        ancestors.dedup();
        let start = self.ancestors.len();
        self.ancestors.extend_from_slice(ancestors);
        let (first, last) = range(start, self.ancestors.len());
        self.entities.push(EntityData { entity, attributes, tags, first, last });
    }

    /// Prepares the layer of the set for looking up.
    pub fn freeze(&mut self) {
        self.names.freeze();
        self.data = vec![0; self.names.len()];
        for (number, entity) in (1_u32..).zip(&self.entities) {
            if let (Layer::Set, place) = Layer::of(entity.entity.0)
                && let Some(slot) = self.data.get_mut(place)
            {
                *slot = number;
            }
        }
    }

    fn set(&self, place: usize) -> &[Value] {
        let Some((first, last)) = self.sets.get(place) else { return &[] };
        self.values.get(*first as usize..*last as usize).unwrap_or_default()
    }

    fn record(&self, place: usize) -> &[Field] {
        let Some((first, last)) = self.records.get(place) else { return &[] };
        self.fields.get(*first as usize..*last as usize).unwrap_or_default()
    }

    fn entity(&self, entity: Symbol) -> Option<&EntityData> {
        if self.layer == Layer::Set {
            let (Layer::Set, place) = Layer::of(entity.0) else { return None };
            return self.entities.get((*self.data.get(place)? as usize).checked_sub(1)?);
        }
        self.entities.iter().find(|data| data.entity == entity)
    }

    fn ancestors_of(&self, data: &EntityData) -> &[Symbol] {
        self.ancestors.get(data.first as usize..data.last as usize).unwrap_or_default()
    }

    /// Whether an entity has data here.
    #[must_use]
    pub fn is_known(&self, entity: Symbol) -> bool {
        self.entity(entity).is_some()
    }

    /// The entities that have data here.
    pub fn entities(&self) -> impl Iterator<Item = Symbol> {
        self.entities.iter().map(|data| data.entity)
    }
}

fn range(first: usize, last: usize) -> (u32, u32) {
    (u32::try_from(first).unwrap_or(u32::MAX), u32::try_from(last).unwrap_or(u32::MAX))
}

/// What an evaluation makes: sets and records that are not constant.
#[derive(Debug, Default)]
pub struct Scratch {
    sets: RefCell<Vec<Rc<[Value]>>>,
    records: RefCell<Vec<Rc<[Field]>>>,
}

impl Scratch {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.get_mut().clear();
        self.records.get_mut().clear();
    }
}

/// A list that stands in a layer or was made by the evaluation.
#[derive(Debug)]
pub enum List<'w, T> {
    /// In a layer.
    Kept(&'w [T]),
    /// Made.
    Made(Rc<[T]>),
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Kept(list) => list,
            Self::Made(list) => list,
        }
    }
}

/// The layers together.
#[derive(Debug, Clone, Copy)]
pub struct World<'w> {
    /// What the set knows.
    pub set: &'w Heap,
    /// What the principal adds.
    pub principal: &'w Heap,
    /// What the request adds.
    pub request: &'w Heap,
    /// What the evaluation makes.
    pub scratch: &'w Scratch,
}

impl<'w> World<'w> {
    fn heap(&self, layer: Layer) -> &'w Heap {
        match layer {
            Layer::Set => self.set,
            Layer::Principal => self.principal,
            Layer::Request | Layer::Scratch => self.request,
        }
    }

    /// The values of a set.
    #[must_use]
    pub fn elements(&self, place: Place) -> List<'w, Value> {
        match Layer::of(place.0) {
            (Layer::Scratch, at) => {
                List::Made(self.scratch.sets.borrow().get(at).cloned().unwrap_or_else(|| Rc::from([])))
            }
            (layer, at) => List::Kept(self.heap(layer).set(at)),
        }
    }

    /// The fields of a record.
    #[must_use]
    pub fn fields(&self, place: Place) -> List<'w, Field> {
        match Layer::of(place.0) {
            (Layer::Scratch, at) => {
                List::Made(self.scratch.records.borrow().get(at).cloned().unwrap_or_else(|| Rc::from([])))
            }
            (layer, at) => List::Kept(self.heap(layer).record(at)),
        }
    }

    /// A field of a record.
    #[must_use]
    pub fn field(&self, record: Place, field: Attr) -> Option<Value> {
        let find = |fields: &[Field]| fields.iter().find(|(attr, _)| *attr == field).map(|(_, value)| *value);
        match Layer::of(record.0) {
            (Layer::Scratch, at) => self.scratch.records.borrow().get(at).and_then(|fields| find(fields)),
            (layer, at) => find(self.heap(layer).record(at)),
        }
    }

    /// A request knows more of an entity than the principal, and both more than the set.
    fn data(&self, entity: Symbol) -> Option<(&'w Heap, &'w EntityData)> {
        [self.request, self.principal, self.set].into_iter().find_map(|heap| Some((heap, heap.entity(entity)?)))
    }

    /// Whether a layer has data of an entity.
    #[must_use]
    pub fn is_known(&self, entity: Symbol) -> bool {
        self.data(entity).is_some()
    }

    /// The attributes of an entity.
    #[must_use]
    pub fn attributes(&self, entity: Symbol) -> Option<Place> {
        // What a request adds to an entity are parents; attributes are the bundle's.
        let (_, data) = self.data(entity)?;
        data.attributes
    }

    /// The tags of an entity.
    #[must_use]
    pub fn tags(&self, entity: Symbol) -> Option<Place> {
        let (_, data) = self.data(entity)?;
        data.tags
    }

    /// The ancestors of an entity, sorted by number.
    #[must_use]
    pub fn ancestors(&self, entity: Symbol) -> &'w [Symbol] {
        self.data(entity).map(|(heap, data)| heap.ancestors_of(data)).unwrap_or_default()
    }

    /// Whether an entity is another or lies in it.
    #[must_use]
    pub fn is_in(&self, entity: Symbol, other: Symbol) -> bool {
        entity == other || self.ancestors(entity).contains(&other)
    }

    /// The type and text of a name.
    #[must_use]
    pub fn name(&self, sym: Symbol) -> (TypeId, &'w str) {
        let (layer, place) = Layer::of(sym.0);
        self.heap(layer).names.get(place).unwrap_or((TEXT, ""))
    }

    /// The number of a name, where a layer has it.
    #[must_use]
    pub fn find(&self, ty: TypeId, text: &str) -> Option<Symbol> {
        [self.set, self.principal, self.request].into_iter().find_map(|heap| heap.names.find(ty, text))
    }

    /// A set of values, made by the evaluation.
    #[must_use]
    pub fn make_set(&self, mut values: Vec<Value>) -> Value {
        self.sort(&mut values);
        let mut sets = self.scratch.sets.borrow_mut();
        sets.push(Rc::from(values));
        Value::Set(Place(Layer::Scratch.number(sets.len() - 1)))
    }

    /// A record, made by the evaluation.
    #[must_use]
    pub fn make_record(&self, mut fields: Vec<Field>) -> Value {
        fields.sort_unstable_by_key(|(attr, _)| *attr);
        let mut records = self.scratch.records.borrow_mut();
        records.push(Rc::from(fields));
        Value::Record(Place(Layer::Scratch.number(records.len() - 1)))
    }

    /// Sorts values as sets hold them.
    pub fn sort(&self, values: &mut Vec<Value>) {
        values.sort_unstable_by(|a, b| self.order(a, b));
        values.dedup_by(|a, b| self.order(a, b) == Ordering::Equal);
    }

    /// Whether two values are the same.
    #[must_use]
    pub fn same(&self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Set(_), Value::Set(_)) | (Value::Record(_), Value::Record(_)) => {
                self.order(a, b) == Ordering::Equal
            }
            _ => a == b,
        }
    }

    /// The order of values within sets. It is equal exactly for the same values.
    #[must_use]
    pub fn order(&self, a: &Value, b: &Value) -> Ordering {
        match (a, b) {
            (Value::Set(a), Value::Set(b)) if a != b => {
                let (a, b) = (self.elements(*a), self.elements(*b));
                let first = a.iter().zip(b.iter()).map(|(a, b)| self.order(a, b)).find(|order| order.is_ne());
                first.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Value::Record(a), Value::Record(b)) if a != b => {
                let (a, b) = (self.fields(*a), self.fields(*b));
                let pairs = a.iter().zip(b.iter());
                let first =
                    pairs.map(|((a, x), (b, y))| a.cmp(b).then_with(|| self.order(x, y))).find(|order| order.is_ne());
                first.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            _ => a.cmp(b),
        }
    }

    /// Whether a set has a value.
    #[must_use]
    pub fn contains(&self, set: &[Value], value: &Value) -> bool {
        /// Up to so many values a look at each is quicker than a search.
        const FEW: usize = 8;
        if set.len() <= FEW {
            return set.iter().any(|element| self.same(element, value));
        }
        set.binary_search_by(|element| self.order(element, value)).is_ok()
    }
}
