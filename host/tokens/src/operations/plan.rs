//! Changes that are thought through and not made yet: what is decided about is what is stored.
//!
//! A plan criticises nothing. Whether a change may be made is decided first, from the token as it is and as it would
//! be; only who may make it hears what is wrong with it, when it is carried out.

use cedargate::model::{Target, Timestamp};

use super::Tokens;
use super::choose::Selector;
use super::mistake::TokenError;
use crate::secret::EnvSegment;
use crate::store::{Change, StoreError};
use crate::token::Token;

/// How often a change is planned again where somebody else changes the same token meanwhile.
pub const TRIES_MAX: usize = 5;

/// What is done with a token that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Edit,
    Disable,
    Enable,
    Revoke,
}

impl Step {
    const fn action(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Revoke => "revoke",
        }
    }
}

/// A change of a token that exists.
#[derive(Debug)]
pub struct Plan {
    step: Step,
    at: Timestamp,
    before: Token,
    after: Token,
    /// What stands in its way, for whoever may make it.
    flaw: Option<Flaw>,
}

/// What keeps even those from a change who may make it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flaw {
    /// The token was revoked.
    Revoked,
    /// It has no secret of this number.
    NoVersion(u32),
}

impl Plan {
    pub(super) fn new(step: Step, at: Timestamp, before: Token) -> Self {
        Self { step, at, after: before.clone(), before, flaw: None }
    }

    /// A change of a token that was not revoked: what was is not changed any more.
    pub(super) fn of_unrevoked(step: Step, at: Timestamp, before: Token) -> Self {
        let flaw = before.revoked_at.map(|_| Flaw::Revoked);
        Self { flaw, ..Self::new(step, at, before) }
    }

    pub(super) fn changed(mut self, change: impl FnOnce(&mut Token, Timestamp)) -> Self {
        change(&mut self.after, self.at);
        self
    }

    pub(super) fn flawed(self, flaw: Option<Flaw>) -> Self {
        Self { flaw: self.flaw.or(flaw), ..self }
    }

    /// The token as it is.
    #[must_use]
    pub fn before(&self) -> &Token {
        &self.before
    }

    /// The token as it would be stored, exactly.
    #[must_use]
    pub fn after(&self) -> &Token {
        &self.after
    }
}

/// A token that is to be made. It has no secret yet.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) at: Timestamp,
    pub(super) token: Token,
    pub(super) env: EnvSegment,
}

impl Draft {
    /// The token as it would be stored.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The same as a fact of a decision: without the id, by which nobody knows it yet.
    #[must_use]
    pub fn facts(&self) -> Target {
        let mut facts = self.token.facts();
        facts.id = None;
        facts
    }

    /// [`facts`](Self::facts) without lists.
    #[must_use]
    pub fn small_facts(&self) -> Target {
        let mut facts = self.token.small_facts();
        facts.id = None;
        facts
    }
}

impl Tokens {
    /// What is wrong with a change, if anything is.
    ///
    /// # Errors
    ///
    /// [`TokenError`], as [`carry_out`](Self::carry_out) would give it.
    pub fn check_plan(&self, plan: &Plan) -> Result<(), TokenError> {
        if let Some(flaw) = &plan.flaw {
            let name = plan.before.name.clone();
            return Err(match *flaw {
                Flaw::Revoked => TokenError::Revoked(name),
                Flaw::NoVersion(version) => TokenError::NoVersion { name, version },
            });
        }
        match plan.step {
            Step::Edit if plan.after != plan.before => self.rules.check(&plan.after, Some(&plan.before), plan.at),
            // Whether a token may be ended or stopped does not depend on what it is like.
            Step::Edit | Step::Disable | Step::Enable | Step::Revoke => Ok(()),
        }
    }

    /// Stores what was planned, at the time that it was planned for.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`StoreError::Conflict`] where the token is not any more as it was: plan again
    /// then, and have it decided again.
    pub async fn carry_out(&self, plan: Plan) -> Result<Token, TokenError> {
        self.check_plan(&plan)?;
        let Plan { step, at, before, after, flaw: _ } = plan;
        if after == before { Ok(before) } else { self.replace(step.action(), before, after, at).await }
    }

    /// Stores a token in place of what it was.
    pub(super) async fn replace(
        &self,
        action: &'static str,
        before: Token,
        after: Token,
        at: Timestamp,
    ) -> Result<Token, TokenError> {
        let name = after.name.clone();
        let committed = self.commit(at, vec![Change { action, before: Some(before), after }]).await;
        let mut tokens = committed.map_err(|error| TokenError::of_store(error, &name))?;
        tokens.pop().ok_or_else(|| StoreError::Conflict.into())
    }

    /// Plans and carries out a change, again where somebody else was faster.
    pub(super) async fn change(
        &self,
        selector: &Selector,
        plan: impl Fn(Token, Timestamp) -> Plan,
    ) -> Result<Token, TokenError> {
        let mut tries = 0;
        loop {
            let before = self.find(selector).await?;
            match self.carry_out(plan(before, self.now())).await {
                Err(TokenError::Store(StoreError::Conflict)) if tries < TRIES_MAX => tries += 1,
                done => return done,
            }
        }
    }
}
