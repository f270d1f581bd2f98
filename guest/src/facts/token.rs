//! The facts of a token that is asked about: as it is, or as it would be stored.

use super::{Fields, Mentioned, time};
use crate::contract::profile::{InputError, Target};
use crate::facts::kind::Kind;
use crate::facts::reach::{self, OwnBudget, Reach};
use crate::facts::shape::Shape;
use crate::facts::value::Value;
use crate::facts::vocabulary::Fact;
use serde::{Deserialize, Serialize};

/// What a schema declares of a token that is asked about, beyond what every schema does.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TokenShape {
    /// Its attributes.
    pub attributes: Option<Shape>,
    /// Which of [`OUTSIDE`] it declares, in their order.
    pub outside: [bool; OUTSIDE.len()],
}

/// The facts that say what of a token lies beyond who asks.
pub const OUTSIDE: [Fact; 4] =
    [Fact::ModelsOutside, Fact::ProvidersOutside, Fact::NetworksOutside, Fact::BudgetsOutside];

/// What of its own a principal may pass on.
#[derive(Debug, Default)]
pub struct Own {
    /// Its lists.
    pub reach: Reach,
    /// Its budgets.
    pub budgets: Option<Vec<OwnBudget>>,
}

impl Mentioned<'_> {
    /// The facts of a token.
    pub(super) fn token(&mut self, token: &Target<'_>, shape: &TokenShape, own: &Own) -> Result<Value, InputError> {
        let Target {
            id,
            name,
            purpose,
            principal_type,
            org_id,
            team_id,
            roles,
            bindings,
            not_before,
            expires_at,
            budgets: _,
            attributes,
        } = token;
        let mut facts = Fields::default();
        for (fact, text) in
            [(Fact::Id, id), (Fact::Name, name), (Fact::Purpose, purpose), (Fact::PrincipalType, principal_type)]
        {
            facts.set_some(fact, self.text_some(text.as_deref()));
        }
        facts.set_some(Fact::Org, self.plain_some(Kind::Organization, org_id.as_deref()));
        facts.set_some(Fact::Team, self.plain_some(Kind::Team, team_id.as_deref()));
        if let Some(list) = roles {
            let roles = list.iter().map(|role| self.plain(Kind::Role, role)).collect();
            facts.set(Fact::Roles, self.set(roles));
        }
        let (bound, reach) = self.bindings(bindings.as_ref()).map_err(|e| e.within("bindings"))?;
        facts.set(Fact::Bindings, bound);
        facts.set_some(Fact::NotBefore, time(*not_before));
        facts.set_some(Fact::ExpiresAt, time(*expires_at));
        if let Some(text) = attributes {
            facts.set(Fact::Attributes, self.attributes(text.get(), shape.attributes.as_ref())?);
        }
        self.outside(token, &reach, shape, own, &mut facts);
        Ok(self.record(facts.0))
    }

    fn outside(&mut self, token: &Target<'_>, reach: &Reach, shape: &TokenShape, own: &Own, facts: &mut Fields) {
        let lists = token.bindings.as_ref();
        for (fact, _) in OUTSIDE.into_iter().zip(shape.outside).filter(|(_, declared)| *declared) {
            let beyond = self.with_world(|world| match fact {
                Fact::ModelsOutside => {
                    let texts = lists.and_then(|lists| lists.models.as_deref());
                    reach::entities(texts, reach.models.as_deref(), own.reach.models.as_deref(), world)
                }
                Fact::ProvidersOutside => {
                    let texts = lists.and_then(|lists| lists.providers.as_deref());
                    reach::entities(texts, reach.providers.as_deref(), own.reach.providers.as_deref(), world)
                }
                Fact::NetworksOutside => {
                    let texts = lists.and_then(|lists| lists.networks.as_deref());
                    reach::networks(texts, reach.networks.as_deref(), own.reach.networks.as_deref())
                }
                _ => reach::budgets(token.budgets.as_deref(), own.budgets.as_deref()),
            });
            let texts = beyond.iter().map(|text| self.text(text)).collect();
            facts.set(fact, self.set(texts));
        }
    }
}
