//! What a decision is made from: what a request asks for, and what the host knows.

use std::iter::repeat_n;
use std::net::IpAddr;
use std::sync::Arc;

use cedargate::model::{Attributes, Counter, Request};

use crate::catalogue::{Candidate, ModelEntry, Resolution};
use crate::extract::Asked;
use crate::route::Action;

/// What the host knows of a request. Nothing of it comes from what the client says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The configured name of the gateway.
    pub gateway_id: Option<Arc<str>>,
    /// The consumer group of the listener or the route.
    pub consumer_group: Option<Arc<str>>,
    /// The organization that the gateway serves.
    pub org_id: Option<Arc<str>>,
    /// The client's address, from [`TrustedProxies::client_ip`](crate::client_ip::TrustedProxies::client_ip).
    pub client_ip: Option<IpAddr>,
    /// Facts that the bundle's schema declares as `RequestAttributes`.
    pub attributes: Option<Attributes>,
    /// Budgets and rates. Where they differ from candidate to candidate, set them in each request.
    pub counters: Counters,
}

/// The host's counters for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The token's budget.
    pub budget: Option<Counter>,
    /// The team's budget.
    pub team_budget: Option<Counter>,
    /// The token's rate.
    pub rate: Option<Counter>,
    /// The team's rate.
    pub team_rate: Option<Counter>,
}

impl Facts {
    /// The requests to decide, with the candidate of each: one for each candidate in their order, or a single one
    /// where no model is asked for or nobody serves it. Empty only for a probe.
    #[must_use]
    pub fn requests(&self, asked: &Asked) -> Vec<(Option<Candidate>, Request)> {
        let Some(action) = asked.action() else { return Vec::new() };
        let base = self.base(action, asked.team());
        match asked.resolution() {
            None => vec![(None, base)],
            Some(Resolution::Unroutable { provider, model }) => {
                let mut request = base;
                request.provider = provider.as_deref().map(str::to_owned);
                request.model = Some(model.as_ref().to_owned());
                vec![(None, request)]
            }
            Some(Resolution::Candidates(candidates)) => {
                each(base, candidates).map(|(candidate, request)| (Some(candidate.clone()), request)).collect()
            }
        }
    }

    /// The requests that decide whether a model is shown: one for each that serves it.
    pub(crate) fn showing(&self, entry: &ModelEntry, team: Option<&str>) -> Vec<Request> {
        let base = self.base(Action::ModelsRead, team);
        each(base, &entry.candidates).map(|(_, request)| request).collect()
    }

    fn base(&self, action: Action, team: Option<&str>) -> Request {
        let owned = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let mut request = Request::new(action.name());
        request.gateway_id = owned(&self.gateway_id);
        request.consumer_group = owned(&self.consumer_group);
        request.org_id = owned(&self.org_id);
        request.client_ip = self.client_ip.map(|address| address.to_canonical().to_string());
        request.team_id = team.map(str::to_owned);
        request.attributes = self.attributes.clone();
        request.budget = self.counters.budget.clone();
        request.team_budget = self.counters.team_budget.clone();
        request.rate = self.counters.rate.clone();
        request.team_rate = self.counters.team_rate.clone();
        request
    }
}

/// The same request for a model at each of these providers.
fn each(base: Request, candidates: &[Candidate]) -> impl Iterator<Item = (&Candidate, Request)> {
    // The last one, which is mostly the only one, is no copy.
    candidates.iter().zip(repeat_n(base, candidates.len())).map(|(candidate, mut request)| {
        request.provider = Some(candidate.provider.as_ref().to_owned());
        request.model = Some(candidate.model.as_ref().to_owned());
        (candidate, request)
    })
}
