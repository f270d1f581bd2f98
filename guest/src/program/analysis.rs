//! What an expression reads, and whether evaluating it can err: found in its compiled form alone.
//!
//! Both are upper bounds. A field that an expression could read counts as read, whether or not an evaluation
//! comes to it; an expression that errs in no case may count as one that can.

use crate::contract::reads::Fields;
use crate::facts::value::Attr;
use crate::facts::vocabulary::Fact;
use crate::program::code::{Code, N, Node, One, Two, Variable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an expression reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields of the request.
    pub fields: Fields,
    /// The time.
    pub time: bool,
    /// The principal.
    pub principal: bool,
    /// The action, and what follows from it and the bundle.
    pub action: bool,
}

impl Reads {
    /// What is read by either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            fields: self.fields.or(other.fields),
            time: self.time || other.time,
            principal: self.principal || other.principal,
            action: self.action || other.action,
        }
    }

    /// Whether the value is the same for every request of one principal and action, at any time.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.fields.is_empty() && !self.time
    }
}

/// Answers about expressions.
#[derive(Debug)]
pub struct Analysis<'s> {
    code: &'s Code,
    /// The attributes that are declared with an entity type somewhere: what is read behind them is another
    /// entity's, which may not be there.
    to_entities: &'s BTreeSet<Attr>,
}

/// A comparison of the time with something that is the same for every request of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comparison {
    /// What the time is compared with.
    pub with: N,
    /// The result may change at that time.
    pub at: bool,
    /// The result may change one millisecond after it.
    pub after: bool,
}

impl<'s> Analysis<'s> {
    /// An analysis of a code.
    #[must_use]
    pub fn new(code: &'s Code, to_entities: &'s BTreeSet<Attr>) -> Self {
        Self { code, to_entities }
    }

    /// What an expression reads.
    #[must_use]
    pub fn reads(&self, at: N) -> Reads {
        let Some(node) = self.code.node(at) else { return everything() };
        match *node {
            Node::Var(Variable::Principal) => Reads { principal: true, ..Reads::default() },
            Node::Var(Variable::Action) => Reads { action: true, ..Reads::default() },
            Node::Var(Variable::Resource) => {
                Reads { fields: Fields::named("model").or(Fields::named("provider")), action: true, ..Reads::default() }
            }
            Node::Var(Variable::Context) => everything(),
            Node::Get(of, attr) if self.is_context(of) => context(attr),
            Node::Has(of, attr) if self.is_context(of) => path(&[attr]),
            Node::Get(of, attr) | Node::Has(of, attr) if self.is_current(of) => path(&[Fact::Current.into(), attr]),
            Node::Get(of, attr) | Node::Has(of, attr) if self.is_current_bindings(of) => {
                path(&[Fact::Current.into(), Fact::Bindings.into(), attr])
            }
            Node::HasPath(of, attrs) if self.is_context(of) => path(self.code.attributes(attrs)),
            Node::HasPath(of, attrs) if self.is_current(of) => {
                self.code.attributes(attrs).first().map_or_else(everything, |attr| path(&[Fact::Current.into(), *attr]))
            }
            _ => self.code.children(node).fold(Reads::default(), |reads, child| reads.or(self.reads(child))),
        }
    }

    fn is_context(&self, at: N) -> bool {
        self.code.node(at) == Some(&Node::Var(Variable::Context))
    }

    fn is_current(&self, at: N) -> bool {
        matches!(self.code.node(at), Some(Node::Get(of, attr)) if *attr == Fact::Current.into() && self.is_context(*of))
    }

    fn is_current_bindings(&self, at: N) -> bool {
        matches!(self.code.node(at), Some(Node::Get(of, attr)) if *attr == Fact::Bindings.into() && self.is_current(*of))
    }

    fn is_time(&self, at: N) -> bool {
        matches!(self.code.node(at), Some(Node::Get(of, attr)) if *attr == Fact::At.into() && self.is_context(*of))
    }

    /// Whether evaluating an expression can err, where everything to its left in a conjunction is true.
    ///
    /// The validator has shown that every optional attribute is asked for before it is read, so that reading an
    /// attribute of a variable or of a record cannot err; one of another entity can, and so can arithmetic.
    #[must_use]
    pub fn can_err(&self, at: N) -> bool {
        let Some(node) = self.code.node(at) else { return true };
        // INVARIANT: every operator is named, so that a new one does not build before it is said whether it can err.
        let here = match *node {
            Node::Get(of, _) => !self.is_own(of),
            Node::One(op, _) => one_can_err(op),
            Node::Two(op, ..) => two_can_err(op),
            Node::Const(_)
            | Node::Var(_)
            | Node::And(..)
            | Node::Or(..)
            | Node::If(..)
            | Node::Has(..)
            | Node::HasPath(..)
            | Node::Like(..)
            | Node::Is(..)
            | Node::Set(_)
            | Node::Record(..) => false,
        };
        here || self.code.children(node).any(|child| self.can_err(child))
    }

    /// Whether reading an attribute of this is reading one of a variable or of a record.
    fn is_own(&self, of: N) -> bool {
        match self.code.node(of) {
            Some(Node::Var(_)) => true,
            Some(Node::Get(_, attr)) => !self.to_entities.contains(attr),
            Some(Node::Record(..)) => true,
            _ => false,
        }
    }

    /// The conjuncts of an expression, from left to right.
    pub fn conjuncts(&self, at: N, into: &mut Vec<N>) {
        match self.code.node(at) {
            Some(Node::And(left, right)) => {
                self.conjuncts(*left, into);
                self.conjuncts(*right, into);
            }
            _ => into.push(at),
        }
    }

    /// The comparisons of the time in an expression. `None` where the time is used in another way, too.
    #[must_use]
    pub fn comparisons(&self, at: N) -> Option<BTreeSet<Comparison>> {
        let mut found = BTreeSet::new();
        self.walk(at, &mut found).then_some(found)
    }

    fn walk(&self, at: N, found: &mut BTreeSet<Comparison>) -> bool {
        let Some(node) = self.code.node(at) else { return false };
        if self.is_time(at) || self.is_context(at) {
            return false;
        }
        if let Node::Two(op @ (Two::Less | Two::LessEq | Two::Eq), left, right) = *node {
            let compared = match (self.is_time(left), self.is_time(right)) {
                (true, false) => Some((right, true)),
                (false, true) => Some((left, false)),
                _ => None,
            };
            if let Some((with, time_first)) = compared
                && self.reads(with).is_fixed()
                && !self.reads(with).action
            {
                // `at < c` changes at c, `at <= c` just after it, `c < at` just after it, `c <= at` at c.
                let at = op == Two::Eq || (op == Two::Less) == time_first;
                let after = op == Two::Eq || !at;
                found.insert(Comparison { with, at, after });
                return true;
            }
        }
        match *node {
            Node::Get(of, attr) | Node::Has(of, attr) if self.is_context(of) => attr != Fact::At.into(),
            Node::HasPath(of, path) if self.is_context(of) => {
                self.code.attributes(path).first().is_some_and(|attr| *attr != Fact::At.into())
            }
            _ => self.code.children(node).all(|child| self.walk(child, found)),
        }
    }
}

fn one_can_err(op: One) -> bool {
    match op {
        One::Neg | One::ToDate => true,
        One::Not
        | One::IsEmpty
        | One::IsIpv4
        | One::IsIpv6
        | One::IsLoopback
        | One::IsMulticast
        | One::ToTime
        | One::ToMilliseconds
        | One::ToSeconds
        | One::ToMinutes
        | One::ToHours
        | One::ToDays => false,
    }
}

fn two_can_err(op: Two) -> bool {
    match op {
        Two::Add | Two::Sub | Two::Mul | Two::GetTag | Two::Offset | Two::DurationSince => true,
        Two::Eq
        | Two::Less
        | Two::LessEq
        | Two::In
        | Two::Contains
        | Two::ContainsAll
        | Two::ContainsAny
        | Two::HasTag
        | Two::DecimalLess
        | Two::DecimalLessEq
        | Two::IsInRange => false,
    }
}

/// What asking for a path below the context reads: whether each of its parts is there, and no more.
fn path(attrs: &[Attr]) -> Reads {
    let is = |attr: &Attr, fact: Fact| *attr == fact.into();
    match attrs {
        [] => everything(),
        [current] if is(current, Fact::Current) => current_token(Fields::default()),
        [current, bindings, binding, ..] if is(current, Fact::Current) && is(bindings, Fact::Bindings) => {
            current_token(of_bindings(*binding))
        }
        [current, attr, ..] if is(current, Fact::Current) => current_token(of_token(*attr)),
        [attr, ..] => context(*attr),
    }
}

/// Fields of the token as it is. What lies beyond the principal depends on the principal, too.
fn current_token(fields: Fields) -> Reads {
    Reads { fields: fields.or(Fields::named("current")), principal: true, ..Reads::default() }
}

/// The fields that a fact of the token as it is comes from.
fn of_token(attr: Attr) -> Fields {
    const FIELDS: [(Fact, &str); 14] = [
        (Fact::Id, "current.id"),
        (Fact::Name, "current.name"),
        (Fact::Purpose, "current.purpose"),
        (Fact::PrincipalType, "current.principal_type"),
        (Fact::Org, "current.org_id"),
        (Fact::Team, "current.team_id"),
        (Fact::Roles, "current.roles"),
        (Fact::NotBefore, "current.not_before"),
        (Fact::ExpiresAt, "current.expires_at"),
        (Fact::Attributes, "current.attributes"),
        (Fact::BudgetsOutside, "current.budgets"),
        (Fact::ModelsOutside, "current.bindings.models"),
        (Fact::ProvidersOutside, "current.bindings.providers"),
        (Fact::NetworksOutside, "current.bindings.networks"),
    ];
    if attr == Fact::Bindings.into() {
        return Fields::current_bindings();
    }
    let found = FIELDS.iter().find(|(fact, _)| attr == (*fact).into());
    found.map_or_else(Fields::current, |(_, name)| Fields::named(name))
}

/// The fields that a binding of the token as it is comes from.
fn of_bindings(attr: Attr) -> Fields {
    const FIELDS: [(Fact, &str); 6] = [
        (Fact::Gateway, "current.bindings.gateway_id"),
        (Fact::ConsumerGroup, "current.bindings.consumer_group"),
        (Fact::Providers, "current.bindings.providers"),
        (Fact::Models, "current.bindings.models"),
        (Fact::Scopes, "current.bindings.scopes"),
        (Fact::Networks, "current.bindings.networks"),
    ];
    let found = FIELDS.iter().find(|(fact, _)| attr == (*fact).into());
    found.map_or_else(Fields::current_bindings, |(_, name)| Fields::named(name))
}

/// The fields of a request that a fact comes from.
fn context(attr: Attr) -> Reads {
    let field = |name| Reads { fields: Fields::named(name), ..Reads::default() };
    let token = |fields| Reads { fields, principal: true, ..Reads::default() };
    let is = |fact: Fact| attr == fact.into();
    if is(Fact::Operation) || is(Fact::TeamsClosed) {
        return Reads { action: true, ..Reads::default() };
    }
    if is(Fact::At) {
        return Reads { time: true, ..Reads::default() };
    }
    if is(Fact::Current) {
        return token(Fields::current());
    }
    if is(Fact::Target) {
        return token(Fields::named("target"));
    }
    let renamed = [
        (Fact::Gateway, "gateway_id"),
        (Fact::Org, "org_id"),
        (Fact::Team, "team_id"),
        (Fact::Client, "client_ip"),
        (Fact::ClientIp, "client_ip"),
    ];
    if let Some((_, name)) = renamed.iter().find(|(fact, _)| is(*fact)) {
        return field(name);
    }
    let same = [
        Fact::Provider,
        Fact::ConsumerGroup,
        Fact::Budget,
        Fact::TeamBudget,
        Fact::Rate,
        Fact::TeamRate,
        Fact::Attributes,
    ];
    same.into_iter().find(|fact| is(*fact)).map_or_else(everything, |fact| field(fact.name()))
}

fn everything() -> Reads {
    Reads { fields: Fields::ALL, time: true, principal: true, action: true }
}
