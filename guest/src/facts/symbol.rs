//! Symbols: the ids of entities and the texts of strings, as numbers.
//!
//! A name is known by the first layer that has it: the set's, the principal's, the request's. So two values are
//! the same name exactly when their numbers are equal, and comparing costs nothing.

use crate::facts::kind::Kind;
use serde::{Deserialize, Serialize};

/// The number of a name. Its two highest bits say in which layer it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Symbol(pub u32);

/// The number of an entity type, and [`TEXT`] for strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeId(pub u16);

/// What strings have in place of an entity type.
pub const TEXT: TypeId = TypeId(u16::MAX);

impl From<Kind> for TypeId {
    /// The kinds are the first types of every set, in their order.
    fn from(kind: Kind) -> Self {
        Self(kind as u16)
    }
}

/// One of the three layers, and the values that an evaluation makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// What the set knows.
    #[default]
    Set,
    /// What the principal adds.
    Principal,
    /// What the request adds.
    Request,
    /// What an evaluation makes.
    Scratch,
}

/// The bits of a number that are left for the place within its layer.
const PLACE_BITS: u32 = 30;

const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;

impl Layer {
    /// The number of a place in this layer. Limits on bundles and requests keep places far below the bound.
    #[must_use]
    pub fn number(self, place: usize) -> u32 {
        ((self as u32) << PLACE_BITS) | (u32::try_from(place).unwrap_or(PLACE_MASK) & PLACE_MASK)
    }

    /// The layer and the place of a number.
    #[must_use]
    pub fn of(number: u32) -> (Self, usize) {
        let layer = match number >> PLACE_BITS {
            0 => Self::Set,
            1 => Self::Principal,
            2 => Self::Request,
            _ => Self::Scratch,
        };
        (layer, (number & PLACE_MASK) as usize)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Name {
    ty: TypeId,
    start: u32,
    end: u32,
}

/// How names are looked up.
#[derive(Debug, Default, Serialize, Deserialize)]
enum Lookup {
    /// One after the other.
    #[default]
    Few,
    /// By a list that is kept sorted. Its order depends on the names alone, so that no choice of them makes it
    /// slow: these names come from outside.
    Sorted(Vec<u32>),
    /// By a hash table that does not change any more. Only a bundle's names are in such a table; what is looked
    /// up may come from anywhere.
    Frozen { slots: Vec<u32>, mask: usize },
}

/// Up to so many names are looked up one after the other.
const FEW: usize = 16;

/// The names of one layer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Symbols {
    layer: Layer,
    text: String,
    names: Vec<Name>,
    lookup: Lookup,
}

impl Symbols {
    /// No names, for a layer.
    #[must_use]
    pub fn new(layer: Layer) -> Self {
        Self { layer, ..Self::default() }
    }

    /// Forgets all names and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.names.clear();
        self.lookup = Lookup::Few;
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn text_of(&self, name: Name) -> &str {
        self.text.get(name.start as usize..name.end as usize).unwrap_or_default()
    }

    fn at(&self, place: u32) -> Option<(TypeId, &str)> {
        let name = *self.names.get(place as usize)?;
        Some((name.ty, self.text_of(name)))
    }

    /// The type and the text of the name at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<(TypeId, &str)> {
        self.at(u32::try_from(place).ok()?)
    }

    fn sym(&self, place: u32) -> Symbol {
        Symbol(self.layer.number(place as usize))
    }

    /// The number of a name, where this layer has it.
    #[must_use]
    pub fn find(&self, ty: TypeId, text: &str) -> Option<Symbol> {
        match &self.lookup {
            Lookup::Few => {
                let found = (0_u32..)
                    .zip(&self.names)
                    .find(|(_, name)| name.ty == ty && same_text(self.text_of(**name), text))
                    .map(|(place, _)| place)?;
                Some(self.sym(found))
            }
            Lookup::Sorted(order) => {
                let at = order.binary_search_by(|place| self.at(*place).cmp(&Some((ty, text)))).ok()?;
                order.get(at).map(|place| self.sym(*place))
            }
            Lookup::Frozen { slots, mask } => {
                let mut slot = hash(ty, text) as usize & mask;
                // The table is never full, so an empty slot ends every search.
                loop {
                    let place = slots.get(slot)?.checked_sub(1)?;
                    if self.at(place).is_some_and(|(of, name)| of == ty && same_text(name, text)) {
                        return Some(self.sym(place));
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
    }

    /// Adds a name that no layer has.
    pub fn add(&mut self, ty: TypeId, text: &str) -> Symbol {
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        if let Lookup::Sorted(_) | Lookup::Few = self.lookup
            && self.names.len() == FEW
        {
            let mut order: Vec<u32> = (0..place).collect();
            order.sort_by(|a, b| self.at(*a).cmp(&self.at(*b)));
            self.lookup = Lookup::Sorted(order);
        }
        if let Lookup::Sorted(order) = &self.lookup {
            let at = order.partition_point(|other| self.at(*other) < Some((ty, text)));
            if let Lookup::Sorted(order) = &mut self.lookup {
                order.insert(at, place);
            }
        }
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(text);
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.names.push(Name { ty, start, end });
        self.sym(place)
    }

    /// Builds the table of a layer that does not change any more.
    pub fn freeze(&mut self) {
        let size = (self.names.len() * 2 + 1).next_power_of_two();
        let mask = size - 1;
        let mut slots = vec![0_u32; size];
        for (place, name) in (1_u32..).zip(&self.names) {
            let mut slot = hash(name.ty, self.text_of(*name)) as usize & mask;
            while slots.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) & mask;
            }
            if let Some(free) = slots.get_mut(slot) {
                *free = place;
            }
        }
        self.lookup = Lookup::Frozen { slots, mask };
    }
}

/// A multiplier whose bits are mixed well: the fractional part of the golden ratio.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// Whether two texts are the same. In WebAssembly this is several times as quick as comparing slices, which goes byte
/// by byte there.
#[must_use]
pub fn same_text(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        if u64::from_le_bytes(*x) != u64::from_le_bytes(*y) {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.iter().zip(b).all(|(x, y)| x == y)
}

/// A hash of a name. Without a key: see [`Lookup::Frozen`].
fn hash(ty: TypeId, text: &str) -> u64 {
    hash_bytes(u64::from(ty.0), text.as_bytes())
}

/// A hash of bytes, for tables whose slots are bounded or whose content is trusted.
#[must_use]
pub fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed.wrapping_mul(MIX) ^ (bytes.len() as u64);
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(MIX);
        rest = tail;
    }
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    state = (state.rotate_left(23) ^ u64::from_le_bytes(last)).wrapping_mul(MIX);
    state ^ (state >> 29)
}

#[cfg(test)]
mod tests {
    use super::{FEW, Layer, Symbols, TEXT, TypeId, same_text};

    #[test]
    fn texts_are_the_same_byte_for_byte() {
        let text = "0123456789abcdefghi";
        for end in 0..text.len() {
            let part = text.get(..end).unwrap();
            assert!(same_text(part, &String::from(part)));
            assert!(!same_text(part, text));
            for at in 0..end {
                let mut other = part.as_bytes().to_vec();
                other[at] ^= 1;
                assert!(!same_text(part, std::str::from_utf8(&other).unwrap()));
            }
        }
    }

    #[test]
    fn a_name_is_found_by_type_and_text_however_many_there_are() {
        for freeze in [false, true] {
            let mut names = Symbols::new(Layer::Principal);
            let texts: Vec<String> = (0..FEW * 5).map(|n| format!("n{}", n * 7919 % 1000)).collect();
            let syms: Vec<_> = texts.iter().map(|text| names.add(TypeId(3), text)).collect();
            if freeze {
                names.freeze();
            }
            for (text, sym) in texts.iter().zip(&syms) {
                assert_eq!(names.find(TypeId(3), text), Some(*sym));
                assert_eq!(names.find(TEXT, text), None);
                let (layer, place) = Layer::of(sym.0);
                assert_eq!((layer, names.get(place)), (Layer::Principal, Some((TypeId(3), text.as_str()))));
            }
            assert_eq!(names.find(TypeId(3), "absent"), None);
        }
    }
}
