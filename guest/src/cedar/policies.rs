//! Policies, templates and links, as Cedar's parser reads them.

use super::uid;
use crate::contract::bundle::Link;
use cedar_policy_core::ast::{Effect, ExprKind, Literal, PolicyID, PolicySet, SlotId, Template};
use cedar_policy_core::parser::{self, err::ParseErrors};
use std::collections::HashMap;
use std::sync::Arc;

pub use cedar_policy_core::ast::Policy;

/// The first byte of a part of a text, and the byte behind it.
pub type Span = (usize, usize);

/// An annotation.
#[derive(Debug)]
pub struct Annotation {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stands.
    pub span: Option<Span>,
}

/// What a policy says of itself.
#[derive(Debug)]
pub struct Told {
    /// Whether it forbids.
    pub forbids: bool,
    /// Its annotations.
    pub annotations: Vec<Annotation>,
}

/// A policy or a template of a file.
#[derive(Debug)]
pub struct Parsed {
    /// Where it stands.
    pub span: Option<Span>,
    /// Its place among those of its file.
    pub place: usize,
    /// What it says of itself.
    pub told: Told,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Policy(Policy),
    Template(Template),
}

impl Parsed {
    /// Whether it is a template.
    #[must_use]
    pub fn is_template(&self) -> bool {
        matches!(self.of, Of::Template(_))
    }
}

impl Told {
    fn new<'a>(
        effect: Effect,
        annotations: impl Iterator<Item = (String, &'a cedar_policy_core::ast::Annotation)>,
    ) -> Self {
        let annotations = annotations.map(|(name, annotation)| Annotation {
            name,
            value: annotation.val.to_string(),
            span: annotation.loc.as_ref().map(|loc| (loc.start(), loc.end())),
        });
        Self { forbids: effect == Effect::Forbid, annotations: annotations.collect() }
    }

    fn of_policy(policy: &Policy) -> Self {
        Self::new(policy.effect(), policy.annotations().map(|(name, annotation)| (name.to_string(), annotation)))
    }

    /// The value of an annotation.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|annotation| annotation.name == name).map(|annotation| annotation.value.as_str())
    }
}

/// Reads a file of policies: the policies in their order, then the templates in theirs.
///
/// # Errors
/// What Cedar's parser says.
pub fn parse(text: &str) -> Result<Vec<Parsed>, Box<ParseErrors>> {
    let parsed = parser::parse_policyset(text).map_err(Box::new)?;
    let mut out: Vec<Parsed> = parsed
        .static_policies()
        .map(|policy| Parsed {
            span: policy.loc().map(|loc| (loc.start(), loc.end())),
            place: place(policy.id()),
            told: Told::of_policy(policy),
            of: Of::Policy(policy.clone()),
        })
        .collect();
    out.extend(parsed.templates().map(|template| Parsed {
        span: template.loc().map(|loc| (loc.start(), loc.end())),
        place: place(template.id()),
        told: Told::new(template.effect(), template.annotations().map(|(name, one)| (name.to_string(), one))),
        of: Of::Template(template.clone()),
    }));
    out.sort_by_key(|one| (one.is_template(), one.span));
    Ok(out)
}

/// The place that Cedar's own id says: `policy` and a number.
fn place(id: &PolicyID) -> usize {
    id.to_string().strip_prefix("policy").and_then(|place| place.parse().ok()).unwrap_or(0)
}

/// The policies, templates and links of a bundle.
#[derive(Debug, Default)]
pub struct Policies(PolicySet);

/// Why a link cannot be made.
#[derive(Debug)]
pub enum LinkError {
    /// It names a slot that there is not.
    Slot(String),
    /// It puts something into a slot that is no entity type.
    Type(String),
    /// Template and slots do not fit.
    Misfit(String),
}

impl Policies {
    /// Adds a policy under an id. `None` where the id is taken.
    pub fn add(&mut self, parsed: &Parsed, id: &str) -> Option<Policy> {
        let Of::Policy(policy) = &parsed.of else { return None };
        let policy = policy.new_id(PolicyID::from_string(id));
        self.0.add(policy.clone()).ok().map(|()| policy)
    }

    /// Adds a template under an id.
    ///
    /// # Errors
    /// Why not.
    pub fn add_template(&mut self, parsed: &Parsed, id: &str) -> Result<(), String> {
        let Of::Template(template) = &parsed.of else { return Ok(()) };
        self.0.add_template(template.new_id(PolicyID::from_string(id))).map_err(|why| why.to_string())
    }

    /// The text that a template was read from.
    #[must_use]
    pub fn text_of_template(&self, id: &str) -> Option<Arc<str>> {
        let template = self.0.get_template(&PolicyID::from_string(id))?;
        Some(template.loc().map_or_else(|| Arc::from(""), |loc| Arc::clone(&loc.src)))
    }

    /// Makes a policy of a template.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn link(&mut self, link: &Link) -> Result<(Policy, Told), LinkError> {
        let mut values = HashMap::new();
        for (slot, uid) in &link.args {
            let slot = match slot.as_str() {
                "?principal" => SlotId::principal(),
                "?resource" => SlotId::resource(),
                _ => return Err(LinkError::Slot(slot.clone())),
            };
            values.insert(slot, uid::written(uid).ok_or_else(|| LinkError::Type(uid.ty.clone()))?);
        }
        let (template, id) = (PolicyID::from_string(&link.template_id), PolicyID::from_string(&link.link_id));
        let linked = self.0.link(template, id, values).map_err(|error| LinkError::Misfit(error.to_string()))?;
        Ok((linked.clone(), Told::of_policy(linked)))
    }

    /// Cedar's own set.
    #[must_use]
    pub(super) fn as_cedar(&self) -> &PolicySet {
        &self.0
    }

    /// Cedar's own set.
    #[must_use]
    pub fn into_cedar(self) -> PolicySet {
        self.0
    }
}

/// An entity that a policy names.
#[derive(Debug)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// The entity as Cedar writes it.
    pub shown: String,
    /// Where it stands. `None` in a link.
    pub span: Option<Span>,
}

/// The networks that a policy names.
#[must_use]
pub fn networks(policy: &Policy) -> Vec<Named> {
    let ty = uid::entity_type(crate::facts::kind::Kind::Network);
    let condition = policy.condition();
    let literals = condition.subexpressions().filter_map(|part| match part.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => {
            let span = part.source_loc().or(uid.loc()).map(|loc| (loc.start(), loc.end()));
            Some((uid.as_ref().clone(), span))
        }
        _ => None,
    });
    let linked = policy.env().values().map(|uid| (uid.clone(), None));
    let named = literals.chain(linked).filter(|(uid, _)| uid.entity_type() == ty);
    named
        .map(|(uid, span)| Named { id: AsRef::<str>::as_ref(uid.eid()).to_owned(), shown: uid.to_string(), span })
        .collect()
}
