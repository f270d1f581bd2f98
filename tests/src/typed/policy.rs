//! Policies, templates and links over a vocabulary.

use super::condition::Author;
use super::value;
use super::vocabulary::{Applies, GROUPS_FROM, Type, Vocabulary};
use crate::dice::Dice;
use crate::world::{Link, literal};

/// How deep conditions nest.
const DEPTH: usize = 4;

/// What was written.
pub struct Written {
    /// Static policies, each with its id.
    pub policies: Vec<(String, String)>,
    /// Templates, each with its id.
    pub templates: Vec<(String, String)>,
    /// Links of the templates.
    pub links: Vec<Link>,
}

/// The request that a policy is written for: an action and what it applies to.
struct Target<'v> {
    action: usize,
    principal: usize,
    resource: usize,
    applies: &'v Applies,
}

impl<'v> Target<'v> {
    fn roll(dice: &mut Dice, vocabulary: &'v Vocabulary) -> Option<Self> {
        let action = dice.below(GROUPS_FROM);
        let applies = vocabulary.actions[action].applies.as_ref()?;
        let (principal, resource) = (*dice.pick(&applies.principals), *dice.pick(&applies.resources));
        Some(Self { action, principal, resource, applies })
    }
}

/// Some policies, and perhaps templates with links.
pub fn policies(dice: &mut Dice, vocabulary: &Vocabulary, slips: usize) -> Written {
    let mut written = Written { policies: Vec::new(), templates: Vec::new(), links: Vec::new() };
    for at in 0..4 + dice.below(10) {
        let Some(target) = Target::roll(dice, vocabulary) else { continue };
        written.policies.push((format!("p{at}"), policy(dice, vocabulary, &target, [false; 2], slips)));
    }
    for at in 0..dice.below(3) {
        let Some(target) = Target::roll(dice, vocabulary) else { continue };
        let slots = *dice.pick(&[[true, false], [false, true], [true, true]]);
        let id = format!("t{at}");
        written.templates.push((id.clone(), policy(dice, vocabulary, &target, slots, slips)));
        for number in 0..dice.below(3) {
            let mut above = |slot: bool, kind: usize| slot.then(|| holder(dice, vocabulary, kind, slips));
            let (principal, resource) = (above(slots[0], target.principal), above(slots[1], target.resource));
            written.links.push(Link { template: id.clone(), id: format!("{id}-l{number}"), principal, resource });
        }
    }
    written
}

/// An entity that one of this kind may be or lie in; in `slips` of a hundred any.
fn holder(dice: &mut Dice, vocabulary: &Vocabulary, kind: usize, slips: usize) -> serde_json::Value {
    let parents = &vocabulary.kinds[kind].parents;
    let kind = match (parents.is_empty(), dice.chance(slips)) {
        (_, true) => dice.below(vocabulary.kinds.len()),
        (false, _) if dice.chance(60) => *dice.pick(parents),
        _ => kind,
    };
    value::entity(dice, vocabulary, kind)
}

fn policy(dice: &mut Dice, vocabulary: &Vocabulary, target: &Target<'_>, slots: [bool; 2], slips: usize) -> String {
    let author = Author {
        vocabulary,
        principal: target.principal,
        resource: target.resource,
        context: &target.applies.context,
        slips,
    };
    let principal = scope(dice, vocabulary, "principal", target.principal, &target.applies.principals, slots[0]);
    let resource = scope(dice, vocabulary, "resource", target.resource, &target.applies.resources, slots[1]);
    let groups = &vocabulary.actions[target.action].groups;
    // A policy about every action, or about a group, holds for requests of other types: it says nothing of attributes.
    let (action, wide) = match dice.below(10) {
        0 => ("action".to_owned(), true),
        1 if !groups.is_empty() => (format!("action in {}", vocabulary.action(*dice.pick(groups))), true),
        2 => (format!("action in [{}]", vocabulary.action(target.action)), false),
        _ => (format!("action == {}", vocabulary.action(target.action)), false),
    };
    let effect = if dice.chance(65) { "permit" } else { "forbid" };
    let mut out = format!("{effect} ({principal}, {action}, {resource})");
    let clauses = if wide && !dice.chance(slips) { 0 } else { dice.below(3) };
    for _ in 0..clauses {
        let keyword = if dice.chance(75) { "when" } else { "unless" };
        // Sums of numbers at their ends err, and valid policies err in few other ways.
        let condition = if dice.chance(65) {
            let mut sum =
                || format!("{} + {}", author.expression(dice, &Type::Long, 2), author.expression(dice, &Type::Long, 1));
            format!("{} < {}", sum(), sum())
        } else {
            author.expression(dice, &Type::Bool, DEPTH)
        };
        out += &format!(" {keyword} {{ {condition} }}");
    }
    out + ";"
}

fn scope(dice: &mut Dice, vocabulary: &Vocabulary, variable: &str, kind: usize, all: &[usize], slot: bool) -> String {
    let name = vocabulary.kind_name(kind);
    if slot {
        return match dice.below(3) {
            0 => format!("{variable} == ?{variable}"),
            1 => format!("{variable} is {name} in ?{variable}"),
            _ if all.len() == 1 => format!("{variable} in ?{variable}"),
            _ => format!("{variable} is {name} in ?{variable}"),
        };
    }
    match dice.below(6) {
        0 => format!("{variable} == {}", literal(&value::entity(dice, vocabulary, kind))),
        1 => format!("{variable} is {name} in {}", literal(&holder(dice, vocabulary, kind, 0))),
        _ if all.len() == 1 => variable.to_owned(),
        _ => format!("{variable} is {name}"),
    }
}
