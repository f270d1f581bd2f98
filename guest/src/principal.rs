//! A prepared principal: its facts, and what its policies read, found once for all its requests.

use crate::facts::PrincipalFacts;
use crate::profile::{InputError, Profile};
use crate::reads::{Comparison, Fields};
use crate::set::PolicySet;
use crate::time::Millis;
use crate::value;
use cedar_policy_core::ast::{Context, EntityUID, Policy, PrincipalOrResourceConstraint, Request as CedarRequest};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A principal, prepared for one set.
#[derive(Debug)]
pub struct Principal {
    /// The set.
    pub set: Rc<PolicySet>,
    /// The principal as policies see it.
    pub uid: EntityUID,
    /// The principal, what it and the policies name, and what can be reached from there.
    pub entities: Entities,
    /// The networks that the principal names.
    pub networks: BTreeSet<crate::network::Network>,
    plans: RefCell<BTreeMap<String, Rc<Plan>>>,
}

/// What deciding about one action of one principal needs.
#[derive(Debug)]
pub struct Plan {
    /// The policies whose scopes admit principal and action, by their place in the table.
    pub policies: Vec<u32>,
    /// The fields that they read.
    pub fields: Fields,
    /// The times at which their decision may change, ascending.
    pub boundaries: Vec<i64>,
    /// The time is used in a way that makes the decision hold for one millisecond only.
    pub now_only: bool,
}

impl Principal {
    /// Prepares a principal from a profile's text.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn prepare(set: Rc<PolicySet>, text: &str) -> Result<Self, InputError> {
        let Some(maker) = set.maker() else {
            return Err(InputError::Malformed("this set was loaded for the general door: it has no profiles".into()));
        };
        let profile = Profile::read(text, set.limits())?;
        let PrincipalFacts { uid, entities, networks } = maker.principal(&profile)?;
        let entities = Entities::new()
            .upsert_entities(
                set.statics.named.iter().cloned().chain(entities),
                None::<&NoEntitiesSchema>,
                TCComputation::AssumeAlreadyComputed,
                Extensions::all_available(),
            )
            .map_err(|error| InputError::Invalid(error.to_string()))?;
        Ok(Self { set, uid, entities, networks, plans: RefCell::default() })
    }

    /// The plan for an action.
    pub fn plan(&self, action: &str) -> Rc<Plan> {
        if let Some(plan) = self.plans.borrow().get(action) {
            return Rc::clone(plan);
        }
        let plan = Rc::new(self.make_plan(action));
        self.plans.borrow_mut().insert(action.to_owned(), Rc::clone(&plan));
        plan
    }

    fn make_plan(&self, action: &str) -> Plan {
        let candidates = self.set.actions.get(action).map(|a| a.policies.as_slice()).unwrap_or_default();
        let mut plan =
            Plan { policies: Vec::new(), fields: Fields::named("action"), boundaries: Vec::new(), now_only: false };
        for &at in candidates {
            let Some(entry) = self.set.entry(at) else { continue };
            if !self.in_scope(&entry.policy) {
                continue;
            }
            plan.policies.push(at);
            plan.fields = plan.fields.or(entry.reads.fields);
            plan.now_only |= entry.reads.now_only;
            for comparison in &entry.reads.comparisons {
                self.boundary(&entry.policy, comparison, &mut plan);
            }
        }
        plan.boundaries.sort_unstable();
        plan.boundaries.dedup();
        plan
    }

    /// Whether a policy's scope admits this principal. Scopes cannot err, so one that does not is false.
    fn in_scope(&self, policy: &Policy) -> bool {
        let within = |group: &EntityUID| {
            *group == self.uid || {
                let found = self.entities.entity(&self.uid);
                matches!(found, cedar_policy_core::entities::Dereference::Data(e) if e.is_descendant_of(group))
            }
        };
        let constraint = policy.principal_constraint();
        let ty = self.uid.entity_type();
        match constraint.as_inner() {
            PrincipalOrResourceConstraint::Any => true,
            PrincipalOrResourceConstraint::Is(wanted) => wanted.as_ref() == ty,
            PrincipalOrResourceConstraint::In(group) => euid(group).is_none_or(within),
            PrincipalOrResourceConstraint::Eq(one) => euid(one).is_none_or(|uid| *uid == self.uid),
            PrincipalOrResourceConstraint::IsIn(wanted, group) => {
                wanted.as_ref() == ty && euid(group).is_none_or(within)
            }
        }
    }

    /// A comparison whose constant cannot be had adds nothing: if it is reached it errs, and a decision with
    /// an error is not remembered.
    fn boundary(&self, policy: &Policy, comparison: &Comparison, plan: &mut Plan) {
        let request = CedarRequest::new_unchecked(
            self.uid.clone().into(),
            self.uid.clone().into(),
            self.uid.clone().into(),
            Some(Context::empty()),
        );
        let evaluator = Evaluator::new(request, &self.entities, Extensions::all_available());
        let Ok(constant) = evaluator.interpret(&comparison.with, policy.env()) else { return };
        let Some(Millis(at)) = value::millis(&constant) else {
            plan.now_only = true;
            return;
        };
        if comparison.at {
            plan.boundaries.push(at);
        }
        if comparison.after {
            plan.boundaries.push(at.saturating_add(1));
        }
    }
}

fn euid(reference: &cedar_policy_core::ast::EntityReference) -> Option<&EntityUID> {
    match reference {
        cedar_policy_core::ast::EntityReference::EUID(uid) => Some(uid),
        cedar_policy_core::ast::EntityReference::Slot(_) => None,
    }
}
