//! Worlds with a schema of their own: a vocabulary, policies that are mostly valid under it, entities and calls that mostly
//! conform to it, from one number.

mod condition;
mod policy;
mod value;
mod vocabulary;

use crate::dice::Dice;
use crate::world::{Call, World, uid};
use serde_json::{Value, json};
use vocabulary::{Applies, GROUPS_FROM, IDS, Vocabulary};

/// In so many of a hundred worlds nothing is made wrong on purpose.
const SOUND_PERCENT: usize = 60;

/// What is made wrong on purpose, in percent of the places where it can be.
#[derive(Debug, Clone, Copy)]
struct Slips {
    /// A type that the schema does not know.
    schema: usize,
    /// An expression of another type than wanted, an optional attribute without a test.
    policy: usize,
    /// A value of another type, a missing or unknown attribute, a parent that cannot be one.
    entity: usize,
    /// The same in what a call brings with it, and a principal or resource that the action does not apply to.
    call: usize,
}

impl Slips {
    fn roll(dice: &mut Dice) -> Self {
        if dice.chance(SOUND_PERCENT) {
            return Self { schema: 0, policy: 0, entity: 0, call: 1 };
        }
        let mut some = |percent: usize| if dice.chance(40) { percent } else { 0 };
        Self { schema: some(1), policy: some(2), entity: some(2), call: some(5) }
    }
}

/// The world of a seed.
pub fn world(seed: u64) -> World {
    let dice = &mut Dice::new(seed);
    let slips = Slips::roll(dice);
    let vocabulary = Vocabulary::roll(dice);
    let written = policy::policies(dice, &vocabulary, slips.policy);
    let (entities, later) = entities(dice, &vocabulary, slips.entity);
    let calls = (0..4).map(|_| call(dice, &vocabulary, &later, slips.call)).collect();
    World {
        schema: Some(vocabulary.text(dice, slips.schema)),
        policies: written.policies,
        templates: written.templates,
        links: written.links,
        entities,
        calls,
    }
}

/// The set's own entities, and those that calls bring with them. Some are in neither.
fn entities(dice: &mut Dice, vocabulary: &Vocabulary, slips: usize) -> (Value, Vec<Value>) {
    let (mut own, mut later) = (Vec::new(), Vec::new());
    for (ty, kind) in vocabulary.kinds.iter().enumerate() {
        for (at, id) in IDS.iter().enumerate() {
            if kind.members.is_some() || dice.chance(30) {
                continue;
            }
            let mut parents = Vec::new();
            for &parent in &kind.parents {
                // A parent's place is always lower, so that no chain closes.
                if at > 0 && dice.chance(60) {
                    let members = vocabulary.kinds[parent].members;
                    let id = *dice.pick(members.unwrap_or(&IDS[..at]));
                    parents.push(uid(&vocabulary.kind_name(parent), id));
                }
            }
            if dice.chance(slips) {
                parents.push(uid(&vocabulary.kind_name(dice.below(vocabulary.kinds.len())), IDS[0]));
            }
            let mut entity = json!({"uid": uid(&vocabulary.kind_name(ty), *id), "parents": parents,
                "attrs": value::record(dice, vocabulary, &kind.fields, slips)});
            if let Some(tag) = &kind.tags {
                let tags = (0..dice.below(3)).map(|at| (["k", "a b"][at], value::value(dice, vocabulary, tag, slips)));
                entity["tags"] = json!(std::collections::BTreeMap::from_iter(tags));
            }
            if dice.chance(75) { own.push(entity) } else { later.push(entity) }
        }
    }
    (Value::Array(own), later)
}

fn call(dice: &mut Dice, vocabulary: &Vocabulary, later: &[Value], slips: usize) -> Call {
    let any = |of: Option<&[usize]>, dice: &mut Dice| {
        let kind = match of {
            Some(kinds) if !dice.chance(slips) => *dice.pick(kinds),
            _ => dice.below(vocabulary.kinds.len()),
        };
        value::entity(dice, vocabulary, kind)
    };
    let actions = if dice.chance(slips) { vocabulary.actions.len() } else { GROUPS_FROM };
    let action = dice.below(actions);
    let applies: Option<&Applies> = vocabulary.actions[action].applies.as_ref();
    let principal = any(applies.map(|applies| applies.principals.as_slice()), dice);
    let resource = any(applies.map(|applies| applies.resources.as_slice()), dice);
    let context = match applies {
        Some(applies) => value::record(dice, vocabulary, &applies.context, slips),
        None => json!({}),
    };
    let action = if dice.chance(slips) { "no such action" } else { vocabulary.actions[action].name };
    let entities = later.iter().filter(|_| dice.chance(60)).cloned().collect();
    let validate = dice.chance(80);
    Call { principal, action: uid(&vocabulary.qualified("Action"), action), resource, context, entities, validate }
}
