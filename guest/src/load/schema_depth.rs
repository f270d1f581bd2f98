//! The gate before Cedar's schema parser: how deep types go and how large they grow once their names are
//! resolved. A type is written out wherever it is named, so a chain of names is as deep as brackets are, and
//! a type that names another twice doubles it.

use crate::load::hierarchy::{HIERARCHY_DEPTH_MAX, Parents};
use crate::load::lexer::{Kind, Token, tokens};
use std::collections::BTreeMap;

/// The parts that all types may have together, once written out.
const TYPE_PARTS_MAX: usize = 1_000_000;

/// Why a schema may not reach Cedar's parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Brackets or names of types go deeper than the limit.
    #[error("the types of this schema are nested deeper than the limit of {0} levels")]
    Depth(usize),
    /// Types that name types that name types grow beyond all bounds.
    #[error("the types of this schema have more than {TYPE_PARTS_MAX} parts once their names are resolved")]
    Parts,
    /// Entity types or action groups lie in each other in a chain that is too long.
    #[error("a chain of more than {HIERARCHY_DEPTH_MAX} parents begins here")]
    Hierarchy,
}

/// One `type` declaration: how deep its own brackets are, and where it names what.
#[derive(Debug, Default)]
struct Declared<'t> {
    offset: usize,
    parts: usize,
    named: Vec<(&'t str, usize)>,
}

/// What a type comes to with all names resolved.
#[derive(Debug, Clone, Copy)]
struct Resolved {
    depth: usize,
    parts: usize,
}

/// Measures a schema. Returns the byte where it goes too far.
///
/// # Errors
/// The offset and the reason.
pub fn check(text: &str, limit: usize) -> Result<(), (usize, Why)> {
    let tokens = tokens(text);
    let word = |token: &Token| text.get(token.start..token.end).unwrap_or_default();
    let mut open = 0_usize;
    let mut types: BTreeMap<&str, Declared<'_>> = BTreeMap::new();
    let mut current: Option<(&str, Declared<'_>, usize)> = None;
    let mut before: [&str; 2] = ["", ""];
    for token in &tokens {
        let text = word(token);
        match text {
            "(" | "[" | "{" | "<" => open += 1,
            ")" | "]" | "}" | ">" => open = open.saturating_sub(1),
            "=" if before[0] == "type" => {
                current = Some((before[1], Declared { offset: token.start, ..Declared::default() }, open));
            }
            ";" => {
                if let Some((name, declared, _)) = current.take_if(|(_, _, base)| open <= *base) {
                    merge(types.entry(name).or_default(), declared);
                }
            }
            _ => {}
        }
        if open > limit {
            return Err((token.start, Why::Depth(limit)));
        }
        if let Some((_, declared, base)) = current.as_mut().filter(|_| token.kind == Kind::Ident) {
            declared.parts += 1;
            declared.named.push((text, open.saturating_sub(*base)));
        }
        before = [before[1], text];
    }
    resolve(&types, limit)?;
    match hierarchy(text, &tokens) {
        Some(offset) => Err((offset, Why::Hierarchy)),
        None => Ok(()),
    }
}

/// Reads the parents of `entity` and `action` declarations: `action "a", "b" in ["g", Action::"h"] appliesTo`.
/// Returns the place of a declaration whose chain of parents is too long.
fn hierarchy(text: &str, tokens: &[Token]) -> Option<usize> {
    let mut parents = Parents::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut rest = tokens;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let keyword = text.get(first.start..first.end).unwrap_or_default();
        if !matches!(keyword, "entity" | "action") {
            continue;
        }
        let key = |token: &Token| {
            let word = text.get(token.start..token.end).unwrap_or_default();
            format!("{keyword}\0{}", word.trim_matches('"'))
        };
        let (mut own, mut above, mut within) = (Vec::new(), Vec::new(), false);
        while let Some((token, behind)) = rest.split_first() {
            match (token.kind, text.get(token.start..token.end).unwrap_or_default()) {
                (_, ";" | "{" | "=" | "appliesTo" | "attributes" | "enum" | "tags") => break,
                (Kind::Ident, "in") => within = true,
                (Kind::Ident | Kind::Str, _) if within => above.push(key(token)),
                (Kind::Ident | Kind::Str, _) => own.push(key(token)),
                _ => {}
            }
            rest = behind;
        }
        for name in own {
            places.entry(name.clone()).or_insert(first.start);
            parents.add(name, above.clone());
        }
    }
    parents.too_deep().map(|name| places.get(name).copied().unwrap_or(0))
}

fn merge<'t>(into: &mut Declared<'t>, declared: Declared<'t>) {
    into.offset = declared.offset;
    into.parts += declared.parts;
    into.named.extend(declared.named);
}

/// Resolves every name, deepest first, without recursion. A cycle is Cedar's to report: a name that is being
/// resolved counts as nothing.
fn resolve(types: &BTreeMap<&str, Declared<'_>>, limit: usize) -> Result<(), (usize, Why)> {
    let mut done: BTreeMap<&str, Resolved> = BTreeMap::new();
    let mut open: BTreeMap<&str, ()> = BTreeMap::new();
    let mut total = 0_usize;
    for &first in types.keys() {
        let mut stack = vec![first];
        while let Some(&name) = stack.last() {
            let Some(declared) = types.get(name).filter(|_| !done.contains_key(name)) else {
                stack.pop();
                continue;
            };
            if open.insert(name, ()).is_none() {
                let wanted = declared.named.iter().map(|(part, _)| *part);
                stack.extend(
                    wanted.filter(|part| {
                        types.contains_key(part) && !done.contains_key(part) && !open.contains_key(part)
                    }),
                );
                continue;
            }
            let mut resolved = Resolved { depth: 1, parts: declared.parts };
            for (part, depth) in &declared.named {
                let inner = done.get(part).copied().unwrap_or(Resolved { depth: 0, parts: 0 });
                resolved.depth = resolved.depth.max(1 + depth + inner.depth);
                resolved.parts = resolved.parts.saturating_add(inner.parts);
            }
            if resolved.depth > limit {
                return Err((declared.offset, Why::Depth(limit)));
            }
            total = total.saturating_add(resolved.parts);
            if total > TYPE_PARTS_MAX {
                return Err((declared.offset, Why::Parts));
            }
            done.insert(name, resolved);
            stack.pop();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Why, check};

    const LIMIT: usize = 64;

    #[test]
    fn the_default_schema_passes() {
        assert_eq!(check(include_str!("../../../policies/schema.cedarschema"), LIMIT), Ok(()));
    }

    #[test]
    fn a_chain_of_names_is_as_deep_as_brackets() {
        let chain =
            |n: usize| (1..n).fold("type T0 = Long;".to_owned(), |text, at| format!("{text}type T{at} = T{};", at - 1));
        assert_eq!(check(&chain(20), LIMIT), Ok(()));
        assert!(matches!(check(&chain(10_000), LIMIT), Err((_, Why::Depth(LIMIT)))));
        let nested = format!("type T = {}Long{};", "Set<".repeat(10_000), ">".repeat(10_000));
        assert!(matches!(check(&nested, LIMIT), Err((_, Why::Depth(LIMIT)))));
    }

    #[test]
    fn doubling_is_counted() {
        let double = (1..40).fold("type T0 = {a: Long};".to_owned(), |text, at| {
            format!("{text}type T{at} = {{a: T{0}, b: T{0}}};", at - 1)
        });
        assert!(matches!(check(&double, 100), Err((_, Why::Parts))));
    }

    #[test]
    fn chains_of_groups_are_measured() {
        let chain =
            |n: usize| (1..n).fold(String::new(), |text, at| format!("{text}action \"g{}\" in [\"g{at}\"];", at - 1));
        assert_eq!(check(&chain(30), LIMIT), Ok(()));
        assert!(matches!(check(&chain(10_000), LIMIT), Err((_, Why::Hierarchy))));
        let chain = |n: usize| (1..n).fold(String::new(), |text, at| format!("{text}entity E{} in [E{at}];", at - 1));
        assert_eq!(check(&chain(30), LIMIT), Ok(()));
        assert!(matches!(check(&chain(10_000), LIMIT), Err((_, Why::Hierarchy))));
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(check("type A = B; type B = {a: A};", LIMIT), Ok(()));
    }
}
