//! What is told about a request: one event, once its reply has ended.

use std::sync::Arc;
use std::time::Instant;

use cedargate::model::{Request, Timestamp};
use cedargate::{Decision, Permit};
use cedargate_http::admit::Judged;
use cedargate_http::catalogue::Candidate;
use cedargate_http::extract::Asked;
use cedargate_http::reply::{Rejection, RequestId};
use cedargate_http::route::Endpoint;
use cedargate_tokens::{Event, Verdict};

use crate::identify::Who;
use crate::principals::Prepared;
use crate::shadow::Judged as ForShadow;

/// The action of events about endpoints that do not exist.
const NO_ACTION: &str = "(unknown)";

/// A request as far as it was understood.
pub(crate) struct Story {
    id: Arc<str>,
    started: Instant,
    at: Timestamp,
    endpoint: Option<Endpoint>,
    who: Option<Arc<Prepared>>,
    /// The model, where the request came to nothing. An admitted one tells of where it went.
    model: Option<Arc<str>>,
    /// What was decided about the first candidate, where the request came to nothing.
    decided: Option<(Option<Candidate>, Decision)>,
    /// What was decided about, where candidate policies are asked the same.
    requests: Vec<(Option<Candidate>, Request)>,
}

impl Story {
    pub(crate) fn new(id: &RequestId, started: Instant, at: Timestamp) -> Self {
        Self {
            id: Arc::clone(id.shared()),
            started,
            at,
            endpoint: None,
            who: None,
            model: None,
            decided: None,
            requests: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn who_is(&mut self, who: &Who) {
        self.who = Some(Arc::clone(&who.prepared));
    }

    pub(crate) fn route_is(&mut self, endpoint: Endpoint) {
        self.endpoint = Some(endpoint);
    }

    /// It asked for this, and came to nothing.
    pub(crate) fn asked_in_vain(&mut self, asked: &Asked) {
        self.model = asked.model().map(|model| model.as_str().into());
    }

    /// It was decided at this time.
    pub(crate) fn decided(&mut self, at: Timestamp, judged: &[Judged]) {
        self.at = at;
        // The only one that is admitted, and most are, is told by what becomes of it.
        if !matches!(judged, [Judged { candidate: Some(_), decision }] if decision.is_allow()) {
            self.decided = judged.first().map(|judged| (judged.candidate.clone(), judged.decision.clone()));
        }
    }

    /// Somebody else will be asked the same.
    pub(crate) fn is_shadowed(&mut self, requests: Vec<(Option<Candidate>, Request)>) {
        self.requests = requests;
    }

    /// It was admitted for this candidate, and came to nothing all the same.
    pub(crate) fn failed(&mut self, candidate: &Candidate, permit: &Permit) {
        self.decided.get_or_insert_with(|| (Some(candidate.clone()), permit.decision().clone()));
    }

    /// The event of a request that was not admitted; `None` where nobody is known who asked.
    pub(crate) fn denied(&self, rejection: &Rejection) -> Option<Event> {
        let mut event = self.event(Verdict::Deny)?;
        event.status = rejection.status();
        event.code = Some(rejection.code().into());
        if let Rejection::Denied(denial) = rejection {
            tell_decision(&mut event, denial.decision());
        } else if let Some((_, decision)) = &self.decided {
            // It was admitted, and failed all the same: the decision is told with the failure.
            event.decision = if decision.is_allow() { Verdict::Allow } else { Verdict::Deny };
            tell_decision(&mut event, decision);
        }
        if let Some((Some(Candidate { provider, model, .. }), _)) = &self.decided {
            event.provider = Some(Arc::clone(provider));
            event.counted_as = Some(Arc::clone(model));
        }
        Some(event)
    }

    /// The event of a request that was admitted.
    pub(crate) fn admitted(&self, candidate: Option<&Candidate>, decision: &Decision, status: u16) -> Option<Event> {
        let mut event = self.event(Verdict::Allow)?;
        event.status = status;
        event.provider = candidate.map(|candidate| Arc::clone(&candidate.provider));
        if let Some(candidate) = candidate {
            event.model = Some(Arc::clone(&candidate.model));
        }
        tell_decision(&mut event, decision);
        Some(event)
    }

    fn event(&self, verdict: Verdict) -> Option<Event> {
        let who = self.who.as_ref()?;
        let action = self.endpoint.and_then(Endpoint::action).map_or(NO_ACTION, |action| action.name());
        let mut event = Event::new(Arc::clone(&self.id), self.at, action, verdict);
        who.sign(&mut event);
        event.model.clone_from(&self.model);
        event.latency_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Some(event)
    }

    /// What the candidate policies are asked, with the event that tells of it; the event alone where nothing was
    /// decided.
    pub(crate) fn for_shadow(&self, event: Event, candidate: Option<&Candidate>) -> Result<ForShadow, Box<Event>> {
        let place = self.requests.iter().position(|(of, _)| of.as_ref() == candidate).unwrap_or(0);
        let (Some(who), Some((_, request))) = (&self.who, self.requests.get(place)) else {
            return Err(Box::new(event));
        };
        let (principal, request) = (who.principal.clone(), request.clone());
        Ok(ForShadow { principal, request, at: self.at, event })
    }
}

/// Says in an event which policies decided, and of which set.
pub(crate) fn tell_decision(event: &mut Event, decision: &Decision) {
    event.policies = decision.shared_policies();
    event.policy_set = Some(Arc::clone(decision.shared_policy_set()));
}
