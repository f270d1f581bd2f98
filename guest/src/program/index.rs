//! Which rules a request can satisfy, by values that their scopes and conditions name.
//!
//! A rule is left out only where one of its conjuncts is false without error and no conjunct to the left of that
//! one can err: then the whole rule is false without error. Such a conjunct compares something that a principal
//! or a request *is* with a constant, so the rule stands in the bucket of that constant, and a request opens the
//! buckets of what it is.

use crate::facts::symbol::Symbol;
use crate::facts::value::{Heap, Scratch, Value, World};
use crate::facts::vocabulary::Fact;
use crate::program::analysis::Analysis;
use crate::program::code::{N, Node, One, Two, Variable};
use crate::program::interpreter::Scene;
use crate::program::rules::Conjunct;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How a value opens buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Mode {
    /// The bucket of the value itself.
    Is,
    /// The buckets of the entity and of all its ancestors.
    In,
    /// The buckets of all ranges of addresses that the address lies in.
    Within,
}

/// An expression whose value opens buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Probe {
    mode: Mode,
    of: N,
}

/// A value that a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Indexed {
    Name(Symbol),
    Range(Range),
}

/// A range of addresses: its prefix, and the address with all other bits cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Range {
    prefix: u8,
    base: IpAddr,
}

impl Range {
    fn new(address: IpAddr, prefix: u8) -> Self {
        let base = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { prefix, base }
    }
}

/// A key of a rule: one of these values, or the rule is false.
#[derive(Debug, Clone)]
struct Key {
    probe: Probe,
    values: Vec<Indexed>,
    /// It depends on the principal alone.
    principal: bool,
}

const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// Up to so many expressions are looked at for a request, and as many for a principal: each costs every request
/// some nanoseconds, and a set has few by which its rules differ.
const PROBES_MAX: usize = 48;

/// A bucket that holds more rules than this is worse than a window in time.
const BUCKET_LARGE: usize = 64;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Bucket {
    /// The probe and the value; zero is an empty slot.
    key: u64,
    first: u32,
    last: u32,
}

/// The index of a set.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Index {
    principal: Vec<Probe>,
    request: Vec<Probe>,
    /// A hash table that does not change. What is in it is the bundle's; what is looked up may come from anywhere.
    slots: Vec<Bucket>,
    rules: Vec<u32>,
    /// The ranges that have buckets, sorted; a range's number is its place.
    ranges: Vec<Range>,
    /// The prefixes among them, each once, and whether they are of IPv4.
    prefixes: Vec<(u8, bool)>,
}

/// Where a rule is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In the index.
    Keyed,
    /// Within a time.
    Within(i64, i64),
    /// By looking at it every time.
    Always,
}

impl Index {
    /// The rules of all buckets that a principal opens.
    pub fn for_principal(&self, scene: &Scene<'_>, mut each: impl FnMut(u32)) {
        for (number, probe) in (1_u32..).zip(&self.principal) {
            self.open(number, *probe, scene, &mut each);
        }
    }

    /// The rules of all buckets that a request opens.
    pub fn for_request(&self, scene: &Scene<'_>, mut each: impl FnMut(u32)) {
        let before = u32::try_from(self.principal.len()).unwrap_or(u32::MAX);
        for (number, probe) in (before + 1..).zip(&self.request) {
            self.open(number, *probe, scene, &mut each);
        }
    }

    fn open(&self, number: u32, probe: Probe, scene: &Scene<'_>, each: &mut impl FnMut(u32)) {
        // What is not there opens nothing: the rules that ask for it are false.
        match (probe.mode, scene.value(probe.of)) {
            (Mode::Is, Ok(Value::Entity(_, sym) | Value::Text(sym))) => self.bucket(number, sym.0, each),
            (Mode::In, Ok(Value::Entity(_, sym))) => {
                self.bucket(number, sym.0, each);
                for ancestor in scene.world.ancestors(sym) {
                    self.bucket(number, ancestor.0, each);
                }
            }
            (Mode::Within, Ok(Value::Ip(address, of))) => {
                let of_family = self.prefixes.iter().filter(|(_, v4)| *v4 == address.is_ipv4());
                for (prefix, _) in of_family.filter(|(prefix, _)| *prefix <= of) {
                    if let Ok(number_of_range) = self.ranges.binary_search(&Range::new(address, *prefix)) {
                        self.bucket(number, number_of(number_of_range), each);
                    }
                }
            }
            _ => {}
        }
    }

    fn bucket(&self, probe: u32, value: u32, each: &mut impl FnMut(u32)) {
        let key = key(probe, value);
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let mut at = spread(key) & mask;
        while let Some(bucket) = self.slots.get(at) {
            if bucket.key == key {
                let rules = self.rules.get(bucket.first as usize..bucket.last as usize).unwrap_or_default();
                rules.iter().for_each(|rule| each(*rule));
                return;
            }
            if bucket.key == 0 {
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

fn key(probe: u32, value: u32) -> u64 {
    u64::from(probe) << 32 | u64::from(value)
}

fn number_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn spread(key: u64) -> usize {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    usize::try_from(key.wrapping_mul(MIX) >> 33).unwrap_or(0)
}

/// Builds an index.
#[derive(Debug)]
pub struct Builder<'s> {
    analysis: Analysis<'s>,
    code: &'s crate::program::code::Code,
    heap: &'s Heap,
    keys: Vec<Vec<Key>>,
    windows: Vec<(i64, i64)>,
}

impl<'s> Builder<'s> {
    /// A builder over a code and the set's layer.
    #[must_use]
    pub fn new(analysis: Analysis<'s>, code: &'s crate::program::code::Code, heap: &'s Heap) -> Self {
        Self { analysis, code, heap, keys: Vec::new(), windows: Vec::new() }
    }

    /// Takes the next rule.
    pub fn add(&mut self, conjuncts: &[Conjunct]) {
        let mut keys = Vec::new();
        let mut window = ALWAYS;
        for conjunct in conjuncts {
            if conjunct.can_err {
                break;
            }
            keys.extend(self.key(conjunct.node));
            if let Some((from, until)) = self.window(conjunct.node) {
                window = (window.0.max(from), window.1.min(until));
            }
        }
        self.keys.push(keys);
        self.windows.push(window);
    }

    /// The key that a conjunct is: it is false for every other value.
    fn key(&self, at: N) -> Option<Key> {
        let (mode, of, values) = match *self.code.node(at)? {
            Node::Two(Two::Eq, a, b) => match (self.code.node(a)?, self.code.node(b)?) {
                (_, Node::Const(value)) => (Mode::Is, a, self.syms(*value)?),
                (Node::Const(value), _) => (Mode::Is, b, self.syms(*value)?),
                _ => return None,
            },
            Node::Two(Two::In, a, b) => match self.code.node(b)? {
                Node::Const(value @ Value::Entity(..)) => (Mode::In, a, self.syms(*value)?),
                Node::Const(Value::Set(set)) => (Mode::In, a, self.elements(*set)?),
                _ => return None,
            },
            Node::Two(Two::Contains, a, b) => match self.code.node(a)? {
                Node::Const(Value::Set(set)) => (Mode::Is, b, self.elements(*set)?),
                _ => return None,
            },
            Node::Two(Two::IsInRange, a, b) => match self.code.node(b)? {
                Node::Const(Value::Ip(address, prefix)) => {
                    (Mode::Within, a, vec![Indexed::Range(Range::new(*address, *prefix))])
                }
                _ => return None,
            },
            _ => return None,
        };
        if !self.is_path(of) {
            return None;
        }
        let reads = self.analysis.reads(of);
        Some(Key { probe: Probe { mode, of }, values, principal: reads.is_fixed() })
    }

    fn syms(&self, value: Value) -> Option<Vec<Indexed>> {
        match value {
            Value::Entity(_, sym) | Value::Text(sym) => Some(vec![Indexed::Name(sym)]),
            _ => None,
        }
    }

    fn elements(&self, set: crate::facts::value::Place) -> Option<Vec<Indexed>> {
        let scratch = Scratch::default();
        let world = World { set: self.heap, principal: self.heap, request: self.heap, scratch: &scratch };
        world
            .elements(set)
            .iter()
            .map(|value| match value {
                Value::Entity(_, sym) | Value::Text(sym) => Some(Indexed::Name(*sym)),
                _ => None,
            })
            .collect()
    }

    /// A variable, or attributes of one behind each other. Not the action: rules are kept by action anyway.
    fn is_path(&self, at: N) -> bool {
        match self.code.node(at) {
            Some(Node::Var(Variable::Principal | Variable::Resource)) => true,
            Some(Node::Get(of, attr)) => {
                let context = self.code.node(*of) == Some(&Node::Var(Variable::Context));
                let constant =
                    [Fact::At, Fact::Operation, Fact::TeamsClosed].iter().any(|fact| *attr == (*fact).into());
                if context { !constant } else { self.is_path(*of) }
            }
            _ => false,
        }
    }

    /// The times before which, and from which on, a conjunct is false.
    fn window(&self, at: N) -> Option<(i64, i64)> {
        // Cedar knows `c > at` as `!(c <= at)`.
        let (op, a, b, holds) = match *self.code.node(at)? {
            Node::Two(op @ (Two::Less | Two::LessEq), a, b) => (op, a, b, true),
            Node::One(One::Not, of) => match *self.code.node(of)? {
                Node::Two(op @ (Two::Less | Two::LessEq), a, b) => (op, a, b, false),
                _ => return None,
            },
            _ => return None,
        };
        let (time_first, time) = match (self.code.node(a)?, self.code.node(b)?) {
            (_, Node::Const(Value::DateTime(time))) if self.is_time(a) => (true, *time),
            (Node::Const(Value::DateTime(time)), _) if self.is_time(b) => (false, *time),
            _ => return None,
        };
        // The first moment at which the comparison has the other result than before.
        let turns = if time_first == (op == Two::LessEq) { time.checked_add(1)? } else { time };
        Some(if time_first == holds { (ALWAYS.0, turns) } else { (turns, ALWAYS.1) })
    }

    fn is_time(&self, at: N) -> bool {
        matches!(self.code.node(at), Some(Node::Get(of, attr))
            if *attr == Fact::At.into() && self.code.node(*of) == Some(&Node::Var(Variable::Context)))
    }

    /// Chooses for every rule the key whose bucket is the smallest.
    #[must_use]
    pub fn build(self) -> (Index, Vec<Found>) {
        let mut uses: HashMap<Probe, usize> = HashMap::new();
        let mut sizes: HashMap<(Probe, Indexed), usize> = HashMap::new();
        for key in self.keys.iter().flatten() {
            *uses.entry(key.probe).or_default() += 1;
            for value in &key.values {
                *sizes.entry((key.probe, *value)).or_default() += 1;
            }
        }
        let chosen = chosen(&self.keys, &uses);
        let size = |key: &Key| key.values.iter().filter_map(|value| sizes.get(&(key.probe, *value))).max().copied();
        let mut buckets: BTreeMap<(Probe, Indexed), Vec<u32>> = BTreeMap::new();
        let mut found = Vec::with_capacity(self.keys.len());
        for (rule, (keys, window)) in (0_u32..).zip(self.keys.iter().zip(&self.windows)) {
            let best = keys
                .iter()
                .filter(|key| chosen.contains_key(&key.probe))
                .min_by_key(|key| (size(key).unwrap_or(0), !key.principal));
            let timed = *window != ALWAYS;
            match best {
                Some(key) if !timed || size(key).unwrap_or(0) <= BUCKET_LARGE => {
                    for value in &key.values {
                        buckets.entry((key.probe, *value)).or_default().push(rule);
                    }
                    found.push(Found::Keyed);
                }
                _ if timed => found.push(Found::Within(window.0, window.1)),
                _ => found.push(Found::Always),
            }
        }
        (table(&chosen, buckets), found)
    }
}

/// The probes that the most rules can be found by, and whether each depends on the principal alone.
fn chosen(keys: &[Vec<Key>], uses: &HashMap<Probe, usize>) -> BTreeMap<Probe, bool> {
    let sides: BTreeMap<Probe, bool> = keys.iter().flatten().map(|key| (key.probe, key.principal)).collect();
    let mut out = BTreeMap::new();
    for side in [true, false] {
        let mut probes: Vec<Probe> = sides.iter().filter(|(_, of)| **of == side).map(|(probe, _)| *probe).collect();
        probes.sort_by_key(|probe| (std::cmp::Reverse(uses.get(probe).copied().unwrap_or(0)), *probe));
        out.extend(probes.into_iter().take(PROBES_MAX).map(|probe| (probe, side)));
    }
    out
}

fn table(chosen: &BTreeMap<Probe, bool>, buckets: BTreeMap<(Probe, Indexed), Vec<u32>>) -> Index {
    let used = |side: bool| {
        let of_side = chosen.iter().filter(move |(_, of)| **of == side).map(|(probe, _)| *probe);
        of_side.filter(|probe| buckets.keys().any(|(of, _)| of == probe)).collect::<Vec<Probe>>()
    };
    let (principal, request) = (used(true), used(false));
    let numbers: BTreeMap<Probe, u32> = principal.iter().chain(&request).copied().zip(1..).collect();
    let size = (buckets.len() * 2 + 1).next_power_of_two();
    let mut ranges: Vec<Range> = buckets
        .keys()
        .filter_map(|(_, value)| match value {
            Indexed::Range(range) => Some(*range),
            Indexed::Name(_) => None,
        })
        .collect();
    ranges.sort_unstable();
    ranges.dedup();
    let mut prefixes: Vec<(u8, bool)> = ranges.iter().map(|range| (range.prefix, range.base.is_ipv4())).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let slots = vec![Bucket::default(); size];
    let mut index = Index { principal, request, slots, rules: Vec::new(), ranges, prefixes };
    for ((probe, value), rules) in buckets {
        let value = match value {
            Indexed::Name(sym) => sym.0,
            Indexed::Range(range) => index.ranges.binary_search(&range).map_or(u32::MAX, number_of),
        };
        let key = key(numbers.get(&probe).copied().unwrap_or(0), value);
        let first = u32::try_from(index.rules.len()).unwrap_or(u32::MAX);
        index.rules.extend(rules);
        let last = u32::try_from(index.rules.len()).unwrap_or(u32::MAX);
        let mut at = spread(key) & (size - 1);
        while index.slots.get(at).is_some_and(|taken| taken.key != 0) {
            at = (at + 1) & (size - 1);
        }
        if let Some(free) = index.slots.get_mut(at) {
            *free = Bucket { key, first, last };
        }
    }
    index
}
