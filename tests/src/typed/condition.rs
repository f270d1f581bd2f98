//! Conditions over a vocabulary: expressions of a wanted type for one principal, resource and context, and now and then of
//! another type.

use super::value::{self, DATETIMES, DECIMALS, DURATIONS, IPS, LONGS, STRINGS};
use super::vocabulary::{self, Field, Type, Vocabulary};
use crate::dice::Dice;
use crate::world::literal;
use serde_json::json;

/// Who writes a condition: what he knows of the request, and how often he slips.
pub struct Author<'v> {
    pub vocabulary: &'v Vocabulary,
    /// The principal's kind.
    pub principal: usize,
    /// The resource's kind.
    pub resource: usize,
    pub context: &'v [Field],
    pub slips: usize,
}

/// A way to a value: an expression, and what must hold before it may be evaluated.
struct Path {
    text: String,
    ty: Type,
    tests: Vec<String>,
}

/// How many steps a path has at most.
const STEPS: usize = 3;

impl Author<'_> {
    /// An expression of this type.
    pub fn expression(&self, dice: &mut Dice, ty: &Type, depth: usize) -> String {
        if dice.chance(self.slips) {
            let other = vocabulary::ty(dice, self.vocabulary.kinds.len(), 1);
            return self.literal(dice, &other);
        }
        if depth == 0 || dice.chance(35) {
            return if dice.chance(70) { self.known(dice, ty) } else { self.literal(dice, ty) };
        }
        if *ty != Type::Bool && dice.chance(15) {
            let test = self.expression(dice, &Type::Bool, depth - 1);
            let (yes, no) = (self.expression(dice, ty, depth - 1), self.expression(dice, ty, depth - 1));
            return format!("(if {test} then {yes} else {no})");
        }
        let part = |ty: &Type, dice: &mut Dice| self.expression(dice, ty, depth - 1);
        match ty {
            Type::Bool => self.boolean(dice, depth),
            Type::Long => match dice.below(5) {
                0 | 1 => format!("({} {} {})", part(ty, dice), dice.pick(&["+", "-"]), part(ty, dice)),
                2 => format!("({} * {})", part(ty, dice), dice.pick(&LONGS[..4])),
                3 => format!("(-{})", part(ty, dice)),
                _ => {
                    let duration = part(&Type::Duration, dice);
                    format!("{duration}.{}()", dice.pick(&["toMilliseconds", "toSeconds", "toHours", "toDays"]))
                }
            },
            Type::Datetime => match dice.below(3) {
                0 => format!("{}.toDate()", part(ty, dice)),
                _ => format!("{}.offset({})", part(ty, dice), part(&Type::Duration, dice)),
            },
            Type::Duration => match dice.below(3) {
                0 => format!("{}.toTime()", part(&Type::Datetime, dice)),
                _ => {
                    format!("{}.durationSince({})", part(&Type::Datetime, dice), part(&Type::Datetime, dice))
                }
            },
            Type::Set(inner) => {
                let entries: Vec<String> = (0..1 + dice.below(3)).map(|_| part(inner, dice)).collect();
                format!("[{}]", entries.join(", "))
            }
            _ => self.known(dice, ty),
        }
    }

    fn boolean(&self, dice: &mut Dice, depth: usize) -> String {
        let part = |ty: &Type, dice: &mut Dice| self.expression(dice, ty, depth - 1);
        let kinds = self.vocabulary.kinds.len();
        let other = |of: usize| Type::Entity(of);
        match dice.below(16) {
            0 | 1 => {
                let first = part(&Type::Bool, dice);
                let more = if dice.chance(20) { 6 } else { 1 };
                let chain = (0..more)
                    .fold(first, |text, _| format!("{text} {} {}", dice.pick(&["&&", "||"]), part(&Type::Bool, dice)));
                format!("({chain})")
            }
            2 => format!("!{}", part(&Type::Bool, dice)),
            3 => {
                let test = part(&Type::Bool, dice);
                format!("(if {test} then {} else {})", part(&Type::Bool, dice), part(&Type::Bool, dice))
            }
            4 | 5 => {
                let ty = vocabulary::ty(dice, kinds, 1);
                format!("({} {} {})", part(&ty, dice), dice.pick(&["==", "!="]), part(&ty, dice))
            }
            6 | 7 => {
                let ty = dice.pick(&[Type::Long, Type::Long, Type::Datetime, Type::Duration]).clone();
                format!("({} {} {})", part(&ty, dice), dice.pick(&["<", "<=", ">", ">="]), part(&ty, dice))
            }
            8 => {
                let (low, high) = (other(dice.below(kinds)), other(dice.below(kinds)));
                format!("({} in {})", part(&low, dice), part(&high, dice))
            }
            9 => {
                let (low, high) = (other(dice.below(kinds)), Type::Set(Box::new(other(dice.below(kinds)))));
                format!("({} in {})", part(&low, dice), part(&high, dice))
            }
            10 => {
                let kind = self.vocabulary.kind_name(dice.below(kinds));
                format!("({} is {kind})", dice.pick(&["principal", "resource"]))
            }
            11 => format!("({} like \"{}\")", part(&Type::String, dice), dice.pick(&["*", "a*", "a\\*c", ""])),
            12 => {
                let inner = vocabulary::ty(dice, kinds, 0);
                let set = part(&Type::Set(Box::new(inner.clone())), dice);
                if dice.chance(20) {
                    format!("{set}.isEmpty()")
                } else {
                    format!("{set}.contains({})", part(&inner, dice))
                }
            }
            13 => {
                let set = Type::Set(Box::new(vocabulary::ty(dice, kinds, 0)));
                format!("{}.{}({})", part(&set, dice), dice.pick(&["containsAll", "containsAny"]), part(&set, dice))
            }
            14 => match dice.below(3) {
                0 => format!("{}.isInRange({})", part(&Type::Ip, dice), part(&Type::Ip, dice)),
                1 => format!("{}.{}()", part(&Type::Ip, dice), dice.pick(&["isIpv4", "isLoopback", "isMulticast"])),
                _ => {
                    let method = dice.pick(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
                    format!("{}.{method}({})", part(&Type::Decimal, dice), part(&Type::Decimal, dice))
                }
            },
            _ => self.known(dice, &Type::Bool),
        }
    }

    /// Something of this type that the request leads to; a literal where nothing does.
    fn known(&self, dice: &mut Dice, ty: &Type) -> String {
        let mut paths = self.paths();
        paths.retain(|path| path.ty == *ty);
        if paths.is_empty() {
            return self.literal(dice, ty);
        }
        let path = paths.swap_remove(dice.below(paths.len()));
        if path.tests.is_empty() || dice.chance(self.slips) {
            return path.text;
        }
        let tests = path.tests.join(" && ");
        if *ty == Type::Bool {
            return format!("({tests} && {})", path.text);
        }
        format!("(if {tests} then {} else {})", path.text, self.literal(dice, ty))
    }

    /// Everything that the request leads to in a few steps.
    fn paths(&self) -> Vec<Path> {
        let root = |text: &str, ty| Path { text: text.to_owned(), ty, tests: Vec::new() };
        let mut paths = vec![
            root("principal", Type::Entity(self.principal)),
            root("resource", Type::Entity(self.resource)),
            root("context", Type::Record(self.context.to_vec())),
        ];
        let mut from = 0;
        for _ in 0..STEPS {
            let to = paths.len();
            let mut next = Vec::new();
            paths[from..to].iter().for_each(|path| self.steps(path, &mut next));
            paths.extend(next);
            from = to;
        }
        paths
    }

    fn steps(&self, path: &Path, out: &mut Vec<Path>) {
        let (fields, tags) = match &path.ty {
            Type::Entity(kind) => {
                let kind = &self.vocabulary.kinds[*kind];
                (kind.fields.as_slice(), kind.tags.as_ref())
            }
            Type::Record(fields) => (fields.as_slice(), None),
            _ => return,
        };
        let Path { text, tests, .. } = path;
        let with = |test: Option<String>| tests.iter().cloned().chain(test).collect();
        for Field { name, ty, required } in fields {
            let plain = name.chars().all(char::is_alphanumeric) && *name != "if";
            let (step, name) = if plain {
                (format!(".{name}"), (*name).to_owned())
            } else {
                (format!("[{}]", json!(name)), json!(name).to_string())
            };
            let test = (!required).then(|| format!("{text} has {name}"));
            out.push(Path { text: format!("{text}{step}"), ty: ty.clone(), tests: with(test) });
        }
        if let Some(ty) = tags {
            let test = format!("{text}.hasTag(\"k\")");
            out.push(Path { text: format!("{text}.getTag(\"k\")"), ty: ty.clone(), tests: with(Some(test)) });
        }
    }

    fn literal(&self, dice: &mut Dice, ty: &Type) -> String {
        let call = |function: &str, argument: &str| format!("{function}(\"{argument}\")");
        match ty {
            Type::Bool => dice.pick(&["true", "false"]).to_string(),
            // The lowest number cannot be written.
            Type::Long => dice.pick(&LONGS[..5]).to_string(),
            Type::String => json!(dice.pick(&STRINGS)).to_string(),
            Type::Ip => call("ip", dice.pick::<&str>(&IPS)),
            Type::Decimal => call("decimal", dice.pick::<&str>(&DECIMALS)),
            Type::Datetime => call("datetime", dice.pick::<&str>(&DATETIMES)),
            Type::Duration => call("duration", dice.pick::<&str>(&DURATIONS)),
            Type::Entity(kind) => literal(&value::entity(dice, self.vocabulary, *kind)),
            Type::Set(inner) => {
                let entries: Vec<String> = (0..1 + dice.below(2)).map(|_| self.literal(dice, inner)).collect();
                format!("[{}]", entries.join(", "))
            }
            Type::Record(fields) => {
                let field = |field: &Field| format!("{}: {}", json!(field.name), self.literal(dice, &field.ty));
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
