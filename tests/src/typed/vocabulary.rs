//! A generated schema, and what Cedar's language says of it.

use crate::dice::Dice;
use crate::world::literal;
use serde_json::json;

/// A type of values.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Bool,
    Long,
    String,
    Ip,
    Decimal,
    Datetime,
    Duration,
    /// An entity of the kind with this index.
    Entity(usize),
    Set(Box<Type>),
    Record(Vec<Field>),
}

/// An attribute of an entity or a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub ty: Type,
    pub required: bool,
}

/// An entity type.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// The kinds that its entities may lie in.
    pub parents: Vec<usize>,
    pub fields: Vec<Field>,
    pub tags: Option<Type>,
    /// The only ids, where the schema lists them.
    pub members: Option<&'static [&'static str]>,
}

/// An action.
#[derive(Debug)]
pub struct Action {
    pub name: &'static str,
    /// The actions that it lies in, by index.
    pub groups: Vec<usize>,
    /// What it applies to. A group applies to nothing.
    pub applies: Option<Applies>,
}

/// What an action applies to.
#[derive(Debug)]
pub struct Applies {
    pub principals: Vec<usize>,
    pub resources: Vec<usize>,
    pub context: Vec<Field>,
}

/// A generated schema.
#[derive(Debug)]
pub struct Vocabulary {
    pub namespace: Option<&'static str>,
    pub kinds: Vec<Kind>,
    pub actions: Vec<Action>,
    /// Types with names.
    pub types: Vec<(String, Type)>,
}

/// The ids of entities.
pub const IDS: [&str; 4] = ["a", "b c", "é\"\\", "d"];

const KINDS: [&str; 6] = ["Person", "Crew", "Page", "Shelf", "Robot", "Site"];
const MEMBERS: &[&str] = &["red", "deep green"];
const FIELDS: [&str; 10] = ["age", "name", "open", "peer", "home", "price", "since", "parts", "a b", "if"];
const ACTIONS: [&str; 5] = ["read", "write", "list all", "everything", "some"];
/// From this action on, actions are groups.
pub const GROUPS_FROM: usize = 3;

/// How deep types nest.
const TYPE_DEPTH: usize = 2;

impl Vocabulary {
    /// A schema that is right.
    pub fn roll(dice: &mut Dice) -> Self {
        let namespace = *dice.pick(&[None, None, Some("Acme"), Some("Acme::Net")]);
        let count = 2 + dice.below(KINDS.len() - 1);
        let types = (0..dice.below(3)).map(|at| (format!("Shape{at}"), record(dice, count, TYPE_DEPTH))).collect();
        let mut vocabulary = Self { namespace, kinds: Vec::new(), actions: Vec::new(), types };
        for (at, name) in KINDS.into_iter().take(count).enumerate() {
            // The first two are always there to have attributes.
            let members = (at > 1 && dice.chance(20)).then_some(MEMBERS);
            let (mut parents, mut fields, mut tags) = (Vec::new(), Vec::new(), None);
            if members.is_none() {
                parents = (0..count).filter(|_| dice.chance(35)).collect();
                fields = vocabulary.fields(dice, count);
                tags = dice.chance(25).then(|| vocabulary.ty(dice, count, 1));
            }
            vocabulary.kinds.push(Kind { name, parents, fields, tags, members });
        }
        for (at, name) in ACTIONS.into_iter().enumerate() {
            let groups = (at + 1..ACTIONS.len()).filter(|group| *group >= GROUPS_FROM && dice.chance(60)).collect();
            let applies = (at < GROUPS_FROM).then(|| Applies {
                principals: vocabulary.some_kinds(dice, count),
                resources: vocabulary.some_kinds(dice, count),
                context: vocabulary.fields(dice, count),
            });
            vocabulary.actions.push(Action { name, groups, applies });
        }
        vocabulary
    }

    fn some_kinds(&self, dice: &mut Dice, count: usize) -> Vec<usize> {
        let mut kinds = vec![dice.below(count)];
        if dice.chance(40) {
            kinds.push(dice.below(count));
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn fields(&self, dice: &mut Dice, kinds: usize) -> Vec<Field> {
        let named = FIELDS.into_iter().filter(|_| dice.chance(45)).collect::<Vec<_>>();
        let field = |name| Field { name, ty: self.ty(dice, kinds, TYPE_DEPTH), required: dice.chance(60) };
        named.into_iter().map(field).collect()
    }

    fn ty(&self, dice: &mut Dice, kinds: usize, depth: usize) -> Type {
        match (self.types.len(), dice.below(10)) {
            (1.., 0) => dice.pick(&self.types).1.clone(),
            _ => ty(dice, kinds, depth),
        }
    }

    /// A name with its namespace.
    pub fn qualified(&self, name: &str) -> String {
        self.namespace.map_or_else(|| name.to_owned(), |space| format!("{space}::{name}"))
    }

    /// The name of a kind.
    pub fn kind_name(&self, kind: usize) -> String {
        self.qualified(self.kinds[kind].name)
    }

    /// An action in Cedar's language.
    pub fn action(&self, action: usize) -> String {
        literal(&crate::world::uid(&self.qualified("Action"), self.actions[action].name))
    }

    /// The schema in Cedar's language. Types that nobody declared stand in `slips` of a hundred places.
    pub fn text(&self, dice: &mut Dice, slips: usize) -> String {
        let mut out = String::new();
        for (name, ty) in &self.types {
            out += &format!("type {name} = {};\n", self.unnamed(dice, ty, slips));
        }
        for kind in &self.kinds {
            if let Some(members) = kind.members {
                out += &format!("entity {} enum {};\n", kind.name, json!(members));
                continue;
            }
            let within = self.names(&kind.parents);
            let within = if kind.parents.is_empty() { String::new() } else { format!(" in [{within}]") };
            out += &format!("entity {}{within} = {}", kind.name, self.fields_text(dice, &kind.fields, slips));
            if let Some(tags) = &kind.tags {
                out += &format!(" tags {}", self.ty_text(dice, tags, slips));
            }
            out += ";\n";
        }
        for action in &self.actions {
            out += &format!("action {}", json!(action.name));
            if !action.groups.is_empty() {
                let groups: Vec<&str> = action.groups.iter().map(|group| self.actions[*group].name).collect();
                out += &format!(" in {}", json!(groups));
            }
            if let Some(Applies { principals, resources, context }) = &action.applies {
                let (principals, resources) = (self.names(principals), self.names(resources));
                let context = self.fields_text(dice, context, slips);
                out +=
                    &format!(" appliesTo {{ principal: [{principals}], resource: [{resources}], context: {context} }}");
            }
            out += ";\n";
        }
        self.namespace.map_or(out.clone(), |space| format!("namespace {space} {{\n{out}}}\n"))
    }

    fn names(&self, kinds: &[usize]) -> String {
        kinds.iter().map(|kind| self.kinds[*kind].name).collect::<Vec<_>>().join(", ")
    }

    fn ty_text(&self, dice: &mut Dice, ty: &Type, slips: usize) -> String {
        match self.types.iter().find(|(_, named)| named == ty) {
            Some((name, _)) => name.clone(),
            None => self.unnamed(dice, ty, slips),
        }
    }

    fn unnamed(&self, dice: &mut Dice, ty: &Type, slips: usize) -> String {
        if dice.chance(slips) {
            return "Nowhere".to_owned();
        }
        match ty {
            Type::Bool => "Bool".to_owned(),
            Type::Long => "Long".to_owned(),
            Type::String => "String".to_owned(),
            Type::Ip => "ipaddr".to_owned(),
            Type::Decimal => "decimal".to_owned(),
            Type::Datetime => "datetime".to_owned(),
            Type::Duration => "duration".to_owned(),
            Type::Entity(kind) => self.kinds[*kind].name.to_owned(),
            Type::Set(inner) => format!("Set<{}>", self.ty_text(dice, inner, slips)),
            Type::Record(fields) => self.fields_text(dice, fields, slips),
        }
    }

    fn fields_text(&self, dice: &mut Dice, fields: &[Field], slips: usize) -> String {
        let field = |field: &Field| {
            let mark = if field.required { "" } else { "?" };
            format!("{}{mark}: {}", json!(field.name), self.ty_text(dice, &field.ty, slips))
        };
        format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
    }
}

/// Any type, where there are so many kinds of entities.
pub fn ty(dice: &mut Dice, kinds: usize, depth: usize) -> Type {
    match dice.below(if depth == 0 { 10 } else { 13 }) {
        0 => Type::Bool,
        1 | 2 => Type::Long,
        3 | 4 => Type::String,
        5 => Type::Ip,
        6 => Type::Decimal,
        7 => Type::Datetime,
        8 => Type::Duration,
        9 => Type::Entity(dice.below(kinds)),
        10 | 11 => Type::Set(Box::new(ty(dice, kinds, depth - 1))),
        _ => record(dice, kinds, depth - 1),
    }
}

fn record(dice: &mut Dice, kinds: usize, depth: usize) -> Type {
    let from = dice.below(FIELDS.len() - 2);
    let field = |name: &&'static str| Field { name, ty: ty(dice, kinds, depth), required: dice.chance(60) };
    Type::Record(FIELDS[from..from + 2].iter().map(field).collect())
}
