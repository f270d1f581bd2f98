//! Conditions of policies, compiled: a graph of nodes in which the same expression stands once.

use crate::facts::symbol::TypeId;
use crate::facts::value::{Attr, Value};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The place of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct N(pub u32);

/// A run of entries in [`Code`]'s lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Run {
    first: u32,
    last: u32,
}

/// What an operator with two operands does. Both are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Two {
    Eq,
    Less,
    LessEq,
    Add,
    Sub,
    Mul,
    In,
    Contains,
    ContainsAll,
    ContainsAny,
    GetTag,
    HasTag,
    DecimalLess,
    DecimalLessEq,
    IsInRange,
    Offset,
    DurationSince,
}

/// What an operator with one operand does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum One {
    Not,
    Neg,
    IsEmpty,
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    ToDate,
    ToTime,
    ToMilliseconds,
    ToSeconds,
    ToMinutes,
    ToHours,
    ToDays,
}

/// A variable of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Variable {
    Principal,
    Action,
    Resource,
    Context,
}

/// An expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Node {
    /// A constant.
    Const(Value),
    /// A variable.
    Var(Variable),
    /// Short-circuits.
    And(N, N),
    /// Short-circuits.
    Or(N, N),
    /// Evaluates one of its branches.
    If(N, N, N),
    /// One operand.
    One(One, N),
    /// Two operands.
    Two(Two, N, N),
    /// An attribute of an entity, or a field of a record.
    Get(N, Attr),
    /// Whether there is such an attribute or field.
    Has(N, Attr),
    /// Whether there is such an attribute behind each other.
    HasPath(N, Run),
    /// Whether a string matches a pattern.
    Like(N, u32),
    /// Whether an entity has a type.
    Is(N, TypeId),
    /// A set that is not constant.
    Set(Run),
    /// A record that is not constant: its fields' names and, after them, their values.
    Record(Run, Run),
}

/// A pattern of `like`: the texts between its wildcards. One text is matched exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pattern(pub Vec<String>);

impl Pattern {
    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for part in middle {
            // The leftmost match leaves the most for those that follow.
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        true
    }
}

/// All nodes of a set.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Code {
    nodes: Vec<Node>,
    operands: Vec<N>,
    attributes: Vec<Attr>,
    patterns: Vec<Pattern>,
}

impl Code {
    /// The node at a place.
    #[must_use]
    pub fn node(&self, at: N) -> Option<&Node> {
        self.nodes.get(at.0 as usize)
    }

    /// The operands of a run.
    #[must_use]
    pub fn operands(&self, run: Run) -> &[N] {
        self.operands.get(run.first as usize..run.last as usize).unwrap_or_default()
    }

    /// The attributes of a run.
    #[must_use]
    pub fn attributes(&self, run: Run) -> &[Attr] {
        self.attributes.get(run.first as usize..run.last as usize).unwrap_or_default()
    }

    /// A pattern.
    #[must_use]
    pub fn pattern(&self, at: u32) -> Option<&Pattern> {
        self.patterns.get(at as usize)
    }

    /// The nodes that a node is made of.
    pub fn children(&self, node: &Node) -> impl Iterator<Item = N> + '_ {
        let (few, many): ([Option<N>; 3], &[N]) = match *node {
            Node::Const(_) | Node::Var(_) => ([None; 3], &[]),
            Node::And(a, b) | Node::Or(a, b) | Node::Two(_, a, b) => ([Some(a), Some(b), None], &[]),
            Node::If(a, b, c) => ([Some(a), Some(b), Some(c)], &[]),
            Node::One(_, a)
            | Node::Get(a, _)
            | Node::Has(a, _)
            | Node::HasPath(a, _)
            | Node::Like(a, _)
            | Node::Is(a, _) => ([Some(a), None, None], &[]),
            Node::Set(run) | Node::Record(_, run) => ([None; 3], self.operands(run)),
        };
        few.into_iter().flatten().chain(many.iter().copied())
    }
}

/// Adds nodes to a code, each once.
#[derive(Debug, Default)]
pub struct Writer {
    /// The code so far.
    pub code: Code,
    nodes: HashMap<Node, N>,
    operand_runs: HashMap<Vec<N>, Run>,
    attribute_runs: HashMap<Vec<Attr>, Run>,
    patterns: HashMap<Pattern, u32>,
}

impl Writer {
    /// The place of a node.
    pub fn node(&mut self, node: Node) -> N {
        let Self { code, nodes, .. } = self;
        *nodes.entry(node).or_insert_with(|| {
            code.nodes.push(node);
            N(u32::try_from(code.nodes.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// A run of operands.
    pub fn operands(&mut self, list: Vec<N>) -> Run {
        run(&mut self.operand_runs, &mut self.code.operands, list)
    }

    /// A run of attributes.
    pub fn attributes(&mut self, list: Vec<Attr>) -> Run {
        run(&mut self.attribute_runs, &mut self.code.attributes, list)
    }

    /// The place of a pattern.
    pub fn pattern(&mut self, pattern: Pattern) -> u32 {
        let Self { code, patterns, .. } = self;
        *patterns.entry(pattern).or_insert_with_key(|pattern| {
            code.patterns.push(pattern.clone());
            u32::try_from(code.patterns.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

fn run<T: Copy + Eq + std::hash::Hash>(known: &mut HashMap<Vec<T>, Run>, all: &mut Vec<T>, list: Vec<T>) -> Run {
    *known.entry(list).or_insert_with_key(|list| {
        let first = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.extend_from_slice(list);
        Run { first, last: u32::try_from(all.len()).unwrap_or(u32::MAX) }
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_matches_as_cedar_matches() {
        let pattern = |parts: &[&str]| Pattern(parts.iter().map(|part| (*part).to_owned()).collect());
        for (parts, text, matches) in [
            (&["a"][..], "a", true),
            (&["a"], "ab", false),
            (&[""], "", true),
            (&["", ""], "anything", true),
            (&["a", ""], "abc", true),
            (&["", "c"], "abc", true),
            (&["ab", "b"], "ab", false),
            (&["a", "b", "c"], "axxbyyc", true),
            (&["a", "b", "c"], "axxcyyb", false),
            (&["", "aa", "a"], "aaa", true),
            (&["", "aa", "aa"], "aaa", false),
            (&["é", "ß"], "é-ß", true),
        ] {
            assert_eq!(pattern(parts).matches(text), matches, "{parts:?} {text}");
        }
    }
}
