//! What of a token lies beyond a principal: found a second time, by asking Cedar's own hierarchy what lies in what.
//!
//! An entry of a token's list is beyond when none of the principal's same list covers it. A principal without the list
//! is bound by nothing; a token without it has everything, which is beyond whoever is bound.

use cedar_policy::EntityUid;
use cedargate::model::{Budget, Profile, Target};

use crate::native::{Base, NativeError, model_entry, uid, unreadable};
use crate::network::Network;

/// Stands for a list that a token does not have.
const EVERYTHING: &str = "*";

/// The entries beyond, list by list, under the names of the facts.
pub(crate) fn beyond(
    base: &Base,
    profile: &Profile,
    token: &Target,
) -> Result<[(&'static str, Vec<String>); 4], NativeError> {
    let own = &profile.bindings;
    let given = token.bindings.as_ref();
    let model = |text: &String| model_entry(&base.types, text).1;
    let provider = |id: &String| uid(&base.types.provider, id);
    let models = entries(&own.models, given.and_then(|given| given.models.as_ref()), |own, entry| {
        lies_in(base, &model(entry), &model(own))
    });
    let providers = entries(&own.providers, given.and_then(|given| given.providers.as_ref()), |own, entry| {
        lies_in(base, &provider(entry), &provider(own))
    });
    let networks = given.and_then(|given| given.networks.as_ref());
    for text in own.networks.iter().chain(networks).flatten() {
        Network::read(text).ok_or_else(|| unreadable("networks", text))?;
    }
    let networks = entries(
        &own.networks,
        networks,
        |own, entry| matches!((Network::read(own), Network::read(entry)), (Some(own), Some(entry)) if own.covers(entry)),
    );
    Ok([
        ("models_outside", models),
        ("providers_outside", providers),
        ("networks_outside", networks),
        ("budgets_outside", budgets(profile.budgets.as_deref(), token.budgets.as_deref())),
    ])
}

fn entries(
    own: &Option<Vec<String>>,
    given: Option<&Vec<String>>,
    covers: impl Fn(&String, &String) -> bool,
) -> Vec<String> {
    match (own, given) {
        (None, _) => Vec::new(),
        (Some(_), None) => vec![EVERYTHING.to_owned()],
        (Some(own), Some(given)) => {
            given.iter().filter(|entry| !own.iter().any(|own| covers(own, entry))).cloned().collect()
        }
    }
}

/// Whether an entity is another one or lies in it. A model that nobody declared lies in its provider and its name.
fn lies_in(base: &Base, narrow: &EntityUid, wide: &EntityUid) -> bool {
    if narrow == wide || base.entities.is_ancestor_of(wide, narrow) {
        return true;
    }
    let id: &str = narrow.id().unescaped();
    match id.split_once('/') {
        Some((provider, name)) if *narrow.type_name() == base.types.model => {
            let parents = [uid(&base.types.provider, provider), uid(&base.types.model_name, name)];
            parents.iter().any(|parent| lies_in(base, parent, wide))
        }
        _ => false,
    }
}

/// All budgets of a token hold at once: each of the principal's needs one of the token's that stays within it, and each
/// of the token's one that it stays within.
fn budgets(own: Option<&[Budget]>, given: Option<&[Budget]>) -> Vec<String> {
    let same = |one: &Budget, other: &Budget| one.unit == other.unit && one.window == other.window;
    match (own, given) {
        (None, _) => Vec::new(),
        (Some(_), None) => vec![EVERYTHING.to_owned()],
        (Some(own), Some(given)) => {
            let larger = given.iter().filter(|one| !own.iter().any(|own| same(own, one) && one.limit <= own.limit));
            let missing = own.iter().filter(|own| !given.iter().any(|one| same(own, one)));
            let larger = larger.map(|one| format!("{}{}/{}", one.limit, one.unit, one.window));
            larger.chain(missing.map(|own| format!("{EVERYTHING}{}/{}", own.unit, own.window))).collect()
        }
    }
}
