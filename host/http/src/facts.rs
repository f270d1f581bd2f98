//! What a decision is made from: what a request asks for, and what the host knows.

use std::borrow::Cow;
use std::net::IpAddr;

use cedargate::model::{Attributes, Counter, Request, RequestRef};

use crate::catalogue::{Candidate, ModelEntry, Resolution};
use crate::extract::Asked;
use crate::route::Action;

/// What the host knows of a request. Nothing of it comes from what the client says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The configured name of the gateway.
    pub gateway_id: Option<Cow<'a, str>>,
    /// The consumer group of the listener or the route.
    pub consumer_group: Option<Cow<'a, str>>,
    /// The organization that the gateway serves.
    pub org_id: Option<Cow<'a, str>>,
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

impl Facts<'_> {
    /// The same facts, without a copy of their names.
    #[must_use]
    pub fn borrowed(&self) -> Facts<'_> {
        Facts {
            gateway_id: self.gateway_id.as_deref().map(Cow::Borrowed),
            consumer_group: self.consumer_group.as_deref().map(Cow::Borrowed),
            org_id: self.org_id.as_deref().map(Cow::Borrowed),
            client_ip: self.client_ip,
            attributes: self.attributes.clone(),
            counters: self.counters.clone(),
        }
    }

    /// The same facts, which borrow nothing.
    #[must_use]
    pub fn into_owned(self) -> Facts<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Facts {
            gateway_id: owned(self.gateway_id),
            consumer_group: owned(self.consumer_group),
            org_id: owned(self.org_id),
            client_ip: self.client_ip,
            attributes: self.attributes,
            counters: self.counters,
        }
    }

    /// The requests to decide, with the candidate of each: one for each candidate in their order, or a single one
    /// where no model is asked for or nobody serves it. Empty only for a probe.
    #[must_use]
    pub fn requests(&self, asked: &Asked) -> Vec<(Option<Candidate>, Request)> {
        self.each(asked, |candidate, request| (candidate.cloned(), request.to_owned()))
    }

    /// Does something with each request to decide, in the order of [`requests`](Self::requests).
    pub(crate) fn each<R>(
        &self,
        asked: &Asked,
        mut action: impl FnMut(Option<&Candidate>, RequestRef<'_>) -> R,
    ) -> Vec<R> {
        let Some(named) = asked.action() else { return Vec::new() };
        let address = self.address();
        let base = self.base(named, asked.team(), address.as_deref());
        match asked.resolution() {
            None => vec![action(None, base)],
            Some(Resolution::Unroutable { provider, model }) => {
                let mut request = base;
                request.provider = provider.as_deref();
                request.model = Some(model);
                vec![action(None, request)]
            }
            Some(Resolution::Candidates(candidates)) => {
                candidates.iter().map(|candidate| action(Some(candidate), at(base, candidate))).collect()
            }
        }
    }

    /// The requests that decide whether a model is shown: one for each that serves it.
    pub(crate) fn showing(&self, entry: &ModelEntry, team: Option<&str>) -> Vec<Request> {
        let address = self.address();
        let base = self.base(Action::ModelsRead, team, address.as_deref());
        entry.candidates.iter().map(|candidate| at(base, candidate).to_owned()).collect()
    }

    fn address(&self) -> Option<String> {
        self.client_ip.map(|address| address.to_canonical().to_string())
    }

    fn base<'r>(&'r self, action: Action, team: Option<&'r str>, client_ip: Option<&'r str>) -> RequestRef<'r> {
        let Counters { budget, team_budget, rate, team_rate } = &self.counters;
        let mut request = RequestRef::new(action.name());
        request.gateway_id = self.gateway_id.as_deref();
        request.consumer_group = self.consumer_group.as_deref();
        request.org_id = self.org_id.as_deref();
        request.client_ip = client_ip;
        request.team_id = team;
        request.attributes = self.attributes.as_ref();
        request.budget = budget.as_ref();
        request.team_budget = team_budget.as_ref();
        request.rate = rate.as_ref();
        request.team_rate = team_rate.as_ref();
        request
    }
}

/// The same request for a model at a provider.
fn at<'r>(mut request: RequestRef<'r>, candidate: &'r Candidate) -> RequestRef<'r> {
    request.provider = Some(&candidate.provider);
    request.model = Some(&candidate.model);
    request
}
