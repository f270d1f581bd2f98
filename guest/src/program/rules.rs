//! The policies of a set, compiled: what a decision walks through.

use crate::contract::reads::Fields;
use crate::facts::kind::Kind;
use crate::facts::symbol::Layer;
use crate::facts::value::{Attr, Heap, Scratch, Value, World};
use crate::facts::vocabulary::{Fact, Vocabulary};
use crate::facts::{ActionFacts, Ground};
use crate::load::annotation::Class;
use crate::program::analysis::{Analysis, Comparison, Reads};
use crate::program::code::{Code, N, Node};
use crate::program::index::{Builder, Found, Index};
use crate::program::interpreter::{Fail, Scene};
use crate::program::time_index::{TimeIndex, Window};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A conjunct of a rule.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Conjunct {
    /// What must be true.
    pub node: N,
    /// It is the same for every request of one principal and action.
    pub fixed: bool,
    /// It depends on the time.
    pub timed: bool,
    /// It depends on the host's counters.
    pub counted: bool,
    /// It depends on other facts of the request.
    pub asked: bool,
    /// Evaluating it can err.
    pub can_err: bool,
}

/// What a satisfied rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Admits.
    Permit,
    /// Denies.
    Forbid(Class),
}

/// A policy.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Rule {
    first: u32,
    last: u32,
    /// What it does.
    pub effect: Effect,
    /// One of its conjuncts depends on the time.
    pub timed: bool,
    /// One of its conjuncts depends on the host's counters.
    pub counted: bool,
}

/// What a set knows of an action.
#[derive(Debug, Serialize, Deserialize)]
pub struct Action {
    /// What facts are made with.
    pub facts: ActionFacts,
    /// Its place among the actions.
    pub number: u32,
    /// The fields that its rules read.
    pub fields: Fields,
    /// The times at which one of its rules may change, whoever asks, ascending.
    pub boundaries: Vec<i64>,
    /// The comparisons of the time with what depends on the principal.
    pub comparisons: Vec<Comparison>,
    /// The rules that use the time in a way that makes a decision hold for one millisecond only.
    pub odd: Vec<u32>,
    /// The rules that no key finds.
    pub always: Vec<u32>,
    /// The rules that are found by the time.
    pub windows: TimeIndex,
}

/// The compiled form of a set.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    /// What facts are made with.
    pub ground: Ground,
    /// The conditions.
    pub code: Code,
    conjuncts: Vec<Conjunct>,
    rules: Vec<Rule>,
    /// For every rule a bit for every action.
    masks: Vec<u64>,
    words: usize,
    /// The actions.
    pub actions: Vec<Action>,
    names: BTreeMap<String, u32>,
    /// How rules are found.
    pub index: Index,
}

/// A policy on its way into the rules.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    /// Its whole condition, scope and all.
    pub condition: N,
    /// What it does.
    pub effect: Effect,
}

const WORD_BITS: u32 = u64::BITS;

impl Rules {
    /// The action with this id.
    #[must_use]
    pub fn action(&self, id: &str) -> Option<&Action> {
        self.actions.get(*self.names.get(id)? as usize)
    }

    /// The ids of the actions.
    pub fn action_ids(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The rule at a place.
    #[must_use]
    pub fn rule(&self, at: u32) -> Option<&Rule> {
        self.rules.get(at as usize)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The conjuncts of a rule, from left to right.
    #[must_use]
    pub fn conjuncts(&self, rule: &Rule) -> &[Conjunct] {
        self.conjuncts.get(rule.first as usize..rule.last as usize).unwrap_or_default()
    }

    /// Whether a rule's scope, and whatever else of it depends on the action alone, admits an action.
    #[must_use]
    pub fn admits(&self, rule: u32, action: &Action) -> bool {
        let at = rule as usize * self.words + (action.number / WORD_BITS) as usize;
        self.masks.get(at).is_some_and(|word| word & (1 << (action.number % WORD_BITS)) != 0)
    }

    /// Whether a rule is satisfied, where these of its conjuncts are known to be true, one bit for each.
    ///
    /// # Errors
    /// [`Fail`].
    pub fn holds(&self, rule: &Rule, known: u64, scene: &Scene<'_>) -> Result<bool, Fail> {
        for (bit, conjunct) in (0_u32..).zip(self.conjuncts(rule)) {
            if !is_set(known, bit) && !scene.holds(conjunct.node)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The conjuncts of a rule that are true for every request of a principal, one bit for each. `None` where the
    /// rule is false for all of them: a conjunct that is the same for all is false, and nothing to its left can err.
    #[must_use]
    pub fn known(&self, rule: &Rule, scene: &Scene<'_>) -> Option<u64> {
        let mut known = 0;
        for (bit, conjunct) in (0_u32..).zip(self.conjuncts(rule)) {
            if conjunct.fixed {
                match scene.holds(conjunct.node) {
                    Ok(false) => return None,
                    Ok(true) => known |= 1_u64.checked_shl(bit).unwrap_or(0),
                    Err(_) => break,
                }
            } else if conjunct.can_err {
                break;
            }
        }
        Some(known)
    }

    /// Builds the rules of a set.
    #[must_use]
    pub fn build(
        ground: Ground,
        code: Code,
        to_entities: &BTreeSet<Attr>,
        actions: Vec<(String, ActionFacts)>,
        drafts: &[Draft],
    ) -> Self {
        let words = actions.len().div_ceil(WORD_BITS as usize);
        let mut rules = Self { ground, code, words, ..Self::default() };
        for (number, (id, facts)) in (0..).zip(actions) {
            rules.names.insert(id, number);
            rules.actions.push(Action::new(number, facts));
        }
        for draft in drafts {
            rules.add(draft, to_entities);
        }
        rules.fill_index(to_entities);
        rules.fill_actions(to_entities);
        rules
    }

    fn add(&mut self, draft: &Draft, to_entities: &BTreeSet<Attr>) {
        let analysis = Analysis::new(&self.code, to_entities);
        let mut nodes = Vec::new();
        analysis.conjuncts(draft.condition, &mut nodes);
        let first = self.conjuncts.len();
        let mut mask = vec![u64::MAX; self.words];
        let mut can_err = false;
        let mut found = Vec::with_capacity(nodes.len());
        for node in nodes {
            let reads = analysis.reads(node);
            if self.code.node(node) == Some(&Node::Const(Value::Bool(true))) {
                continue;
            }
            let of_action = reads.action && reads.is_fixed() && !reads.principal;
            if of_action && !can_err && self.narrow(node, &mut mask) {
                continue;
            }
            let conjunct = Conjunct::new(node, reads, analysis.can_err(node));
            can_err |= conjunct.can_err;
            found.push(conjunct);
        }
        let timed = found.iter().any(|conjunct| conjunct.timed);
        let counted = found.iter().any(|conjunct| conjunct.counted);
        self.conjuncts.extend(found);
        let (first, last) = (place(first), place(self.conjuncts.len()));
        self.rules.push(Rule { first, last, effect: draft.effect, timed, counted });
        self.masks.extend(mask);
    }

    /// Takes the actions for which a conjunct is false from a mask. `false` where that cannot be said.
    fn narrow(&self, node: N, mask: &mut [u64]) -> bool {
        let mut out = mask.to_vec();
        for action in &self.actions {
            let mut heap = Heap::new(Layer::Request);
            let operation = Value::Entity(Kind::Operation.into(), action.facts.operation);
            let closed = Value::Bool(self.ground.teams_closed);
            let context =
                heap.add_record(&mut [(Fact::Operation.into(), operation), (Fact::TeamsClosed.into(), closed)]);
            let scratch = Scratch::default();
            let world = World { set: &self.ground.heap, principal: &heap, request: &heap, scratch: &scratch };
            let nobody = Value::Bool(false);
            let scene = Scene {
                code: &self.code,
                world,
                principal: nobody,
                action: Value::Entity(Vocabulary::ACTION, action.facts.action),
                resource: nobody,
                context,
            };
            match scene.holds(node) {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(word) = out.get_mut((action.number / WORD_BITS) as usize) {
                        *word &= !(1 << (action.number % WORD_BITS));
                    }
                }
                Err(_) => return false,
            }
        }
        mask.copy_from_slice(&out);
        true
    }

    fn fill_index(&mut self, to_entities: &BTreeSet<Attr>) {
        let analysis = Analysis::new(&self.code, to_entities);
        let mut builder = Builder::new(analysis, &self.code, &self.ground.heap);
        for rule in &self.rules {
            builder.add(self.conjuncts(rule));
        }
        let (index, found) = builder.build();
        self.index = index;
        let mut actions = std::mem::take(&mut self.actions);
        for action in &mut actions {
            let mut windows = Vec::new();
            let mut always = Vec::new();
            for (rule, found) in (0_u32..).zip(&found).filter(|(rule, _)| self.admits(*rule, action)) {
                match *found {
                    Found::Keyed => {}
                    Found::Always => always.push(rule),
                    Found::Within(from, until) => windows.push(Window { from, until, rule }),
                }
            }
            (action.always, action.windows) = (always, TimeIndex::new(windows));
        }
        self.actions = actions;
    }

    /// What the decisions about each action depend on.
    fn fill_actions(&mut self, to_entities: &BTreeSet<Attr>) {
        let mut actions = std::mem::take(&mut self.actions);
        let analysis = Analysis::new(&self.code, to_entities);
        let mut comparisons: BTreeMap<u32, BTreeSet<Comparison>> = BTreeMap::new();
        for (at, rule) in (0_u32..).zip(&self.rules) {
            let mut fields = Fields::default();
            let mut found = BTreeSet::new();
            let mut odd = false;
            for conjunct in self.conjuncts(rule) {
                fields = fields.or(analysis.reads(conjunct.node).fields);
                match analysis.comparisons(conjunct.node) {
                    Some(more) => found.extend(more),
                    None => odd = true,
                }
            }
            for action in actions.iter_mut().filter(|action| self.admits(at, action)) {
                action.fields = action.fields.or(fields);
                comparisons.entry(action.number).or_default().extend(&found);
                if odd {
                    action.odd.push(at);
                }
            }
        }
        for action in &mut actions {
            for comparison in comparisons.remove(&action.number).into_iter().flatten() {
                match self.code.node(comparison.with) {
                    Some(Node::Const(Value::DateTime(at))) => comparison.push(*at, &mut action.boundaries),
                    _ => action.comparisons.push(comparison),
                }
            }
            action.boundaries.sort_unstable();
            action.boundaries.dedup();
        }
        self.actions = actions;
    }
}

impl Comparison {
    /// The times at which the result may change, where the time is compared with `at`.
    pub fn push(&self, at: i64, into: &mut Vec<i64>) {
        if self.at {
            into.push(at);
        }
        if self.after {
            into.push(at.saturating_add(1));
        }
    }
}

impl Conjunct {
    fn new(node: N, reads: Reads, can_err: bool) -> Self {
        let counters = Fields::counters();
        Self {
            node,
            fixed: reads.is_fixed(),
            timed: reads.time,
            counted: !reads.fields.and(counters).is_empty(),
            asked: !reads.fields.without(counters).is_empty(),
            can_err,
        }
    }
}

impl Action {
    fn new(number: u32, facts: ActionFacts) -> Self {
        Self {
            facts,
            number,
            fields: Fields::named("action"),
            boundaries: Vec::new(),
            comparisons: Vec::new(),
            odd: Vec::new(),
            always: Vec::new(),
            windows: TimeIndex::default(),
        }
    }
}

/// Whether a bit is set. Conjuncts beyond the bits are never known.
#[must_use]
pub fn is_set(bits: u64, bit: u32) -> bool {
    bits.checked_shr(bit).is_some_and(|bits| bits & 1 == 1)
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
