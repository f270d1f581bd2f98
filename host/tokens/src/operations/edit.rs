//! Changes of what a token may do, and switching it off and on.

use cedargate::model::{Attributes, Bindings, Timestamp};

use super::Tokens;
use super::choose::Selector;
use super::create::after;
use super::mistake::TokenError;
use super::plan::{Plan, Step};
use crate::period::Period;
use crate::token::{Allowance, Token};

/// What becomes of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Update<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    To(T),
}

impl<T> Update<T> {
    fn apply(self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::To(new) => *value = Some(new),
        }
    }

    /// Whether the value stays.
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// Changes of a token. Purpose and principal type never change: another workload gets another token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// What it is for.
    pub description: Update<String>,
    /// From when on it is valid.
    pub not_before: Update<Timestamp>,
    /// When it expires.
    pub expires_at: Update<Timestamp>,
    /// When it expires, counted from now. Takes the place of `expires_at`.
    pub expires_in: Option<Period>,
    /// The team that its traffic belongs to.
    pub team_id: Update<String>,
    /// The gateway that it works at.
    pub gateway_id: Update<String>,
    /// The consumer group that it works for.
    pub consumer_group: Update<String>,
    /// Providers that it may use.
    pub providers: Update<Vec<String>>,
    /// Models that it may use.
    pub models: Update<Vec<String>>,
    /// Its scopes.
    pub scopes: Update<Vec<String>>,
    /// Networks that it may be used from.
    pub networks: Update<Vec<String>>,
    /// Its budgets and rates.
    pub allowances: Update<Vec<Allowance>>,
    /// Facts that the policies' schema declares.
    pub attributes: Update<Attributes>,
}

impl Edit {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn apply(self, token: &mut Token, at: Timestamp) {
        let Self {
            description,
            not_before,
            expires_at,
            expires_in,
            team_id,
            gateway_id,
            consumer_group,
            providers,
            models,
            scopes,
            networks,
            allowances,
            attributes,
        } = self;
        description.apply(&mut token.description);
        not_before.apply(&mut token.grant.not_before);
        expires_in.map_or(expires_at, |period| Update::To(after(at, period))).apply(&mut token.grant.expires_at);
        team_id.apply(&mut token.grant.team_id);
        attributes.apply(&mut token.grant.attributes);
        let bindings: &mut Bindings = &mut token.grant.bindings;
        gateway_id.apply(&mut bindings.gateway_id);
        consumer_group.apply(&mut bindings.consumer_group);
        providers.apply(&mut bindings.providers);
        models.apply(&mut bindings.models);
        scopes.apply(&mut bindings.scopes);
        networks.apply(&mut bindings.networks);
        let mut kept = Some(std::mem::take(&mut token.allowances));
        allowances.apply(&mut kept);
        token.allowances = kept.unwrap_or_default();
    }
}

impl Tokens {
    /// Changes what a token may do. Every decision that begins after this returned is made from the new profile.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::Revoked`].
    pub async fn edit(&self, selector: &Selector, edit: &Edit) -> Result<Token, TokenError> {
        self.change(selector, |before, at| self.plan_edit(before, edit, at)).await
    }

    /// What would come of a change at this time.
    #[must_use]
    pub fn plan_edit(&self, before: Token, edit: &Edit, at: Timestamp) -> Plan {
        Plan::of_unrevoked(Step::Edit, at, before).changed(|token, at| edit.clone().apply(token, at))
    }

    /// Switches a token off until [`enable`](Self::enable). One that is off stays off.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::Revoked`].
    pub async fn disable(&self, selector: &Selector) -> Result<Token, TokenError> {
        self.change(selector, |before, at| self.plan_disable(before, at)).await
    }

    /// What would come of switching a token off at this time.
    #[must_use]
    pub fn plan_disable(&self, before: Token, at: Timestamp) -> Plan {
        Plan::of_unrevoked(Step::Disable, at, before)
            .changed(|token, at| token.disabled_at = token.disabled_at.or(Some(at)))
    }

    /// Switches a token on again. One that is on stays on.
    ///
    /// # Errors
    ///
    /// [`TokenError`], among others [`TokenError::Revoked`].
    pub async fn enable(&self, selector: &Selector) -> Result<Token, TokenError> {
        self.change(selector, |before, at| self.plan_enable(before, at)).await
    }

    /// What would come of switching a token on at this time.
    #[must_use]
    pub fn plan_enable(&self, before: Token, at: Timestamp) -> Plan {
        Plan::of_unrevoked(Step::Enable, at, before).changed(|token, _| token.disabled_at = None)
    }
}
