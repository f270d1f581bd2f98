//! A prepared principal: its facts, and what its decisions need, found once for all its requests.

use crate::contract::profile::{InputError, Profile};
use crate::decide::policy_set::PolicySet;
use crate::decide::residual::Residual;
use crate::facts::PrincipalFacts;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A principal, prepared for one set.
#[derive(Debug)]
pub struct Principal {
    /// The set.
    pub set: Rc<PolicySet>,
    /// What sets it apart from every other principal that was prepared for the set.
    pub number: u64,
    /// The principal as policies see it.
    pub facts: PrincipalFacts,
    /// What deciding about each action needs, by the action's number.
    pub residuals: RefCell<BTreeMap<u32, Residual>>,
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
        let facts = maker.principal(&profile)?;
        let number = set.next_principal();
        Ok(Self { set, number, facts, residuals: RefCell::default() })
    }
}
