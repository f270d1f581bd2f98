//! Which models a token is shown: those that the same decision admits.

use cedargate::model::{Request, Timestamp};
use cedargate::{Denial, Outcome, Pdp, Principal};

use crate::catalogue::Catalogue;
use crate::facts::{Counters, Facts};
use crate::models::Shown;

/// The models that a token may read, in the catalogue's order. Whether it may list at all was decided before, for the
/// action `models.list`; listing is counted there and not once more for each model.
///
/// # Errors
///
/// [`Denial`] where the infrastructure failed for one of them: a list that lacks something would be believed.
pub fn visible<'c>(
    pdp: &Pdp,
    principal: &Principal,
    facts: &Facts<'_>,
    team: Option<&str>,
    catalogue: &'c dyn Catalogue,
    at: Timestamp,
) -> Result<Vec<Shown<'c>>, Denial> {
    let facts = Facts { counters: Counters::default(), ..facts.borrowed() };
    let mut requests: Vec<Request> = Vec::new();
    let mut served = Vec::new();
    for entry in catalogue.models() {
        requests.extend(facts.showing(entry, team));
        served.extend(entry.candidates.iter().map(|candidate| (entry, &*candidate.provider)));
    }
    let mut shown: Vec<Shown<'c>> = Vec::new();
    for (decision, (entry, provider)) in pdp.decide_many(principal, &requests, at).into_iter().zip(served) {
        let failed = matches!(decision.outcome(), Outcome::Unavailable | Outcome::PolicyError);
        match decision.into_result() {
            // Of several providers, the first that is admitted shows the model.
            Ok(_permit) if shown.last().is_some_and(|last| last.id == entry.id.as_str()) => {}
            Ok(_permit) => shown.push(Shown::entry(entry, provider)),
            Err(denial) if failed => return Err(denial),
            Err(_hidden) => {}
        }
    }
    Ok(shown)
}
