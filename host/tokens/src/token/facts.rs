//! A token as a fact of a decision about it: as it is, or as it would be stored.

use cedargate::model::Target;

use super::allowance::budgets;
use super::{Grant, Token};

impl Token {
    /// The whole token: for whoever would be handed its power, or gives it.
    #[must_use]
    pub fn facts(&self) -> Target {
        let Grant { bindings, attributes, .. } = &self.grant;
        let mut facts = self.small_facts();
        facts.bindings = Some(bindings.clone());
        facts.budgets = budgets(&self.allowances);
        facts.attributes.clone_from(attributes);
        facts
    }

    /// Its identity, its purpose, its place and its dates, without lists: for whoever would see it or end it, which
    /// takes none of its power. It fits into a decision, however long the lists are.
    #[must_use]
    pub fn small_facts(&self) -> Target {
        let Grant { purpose, principal_type, org_id, team_id, not_before, expires_at, bindings, attributes: _ } =
            &self.grant;
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut place = cedargate::model::Bindings::default();
        place.gateway_id.clone_from(&bindings.gateway_id);
        place.consumer_group.clone_from(&bindings.consumer_group);
        let mut facts = Target::default();
        facts.id = said(&self.id);
        facts.name = said(&self.name);
        facts.purpose = Some(purpose.clone());
        facts.principal_type = Some(principal_type.clone());
        facts.org_id.clone_from(org_id);
        facts.team_id.clone_from(team_id);
        facts.bindings = Some(place);
        facts.not_before = *not_before;
        facts.expires_at = *expires_at;
        facts
    }
}
