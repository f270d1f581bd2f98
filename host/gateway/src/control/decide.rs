//! What the policies say of a request of the control plane.

use std::time::Instant;

use cedargate::model::{Request as Facts, Timestamp};
use cedargate::{Decision, Outcome};
use cedargate_http::reply::{Caller, Rejection};
use cedargate_tokens::{Event, Verdict};

use super::plan::{About, Planned};
use crate::gateway::Gateway;
use crate::identify::Who;
use crate::story::tell_decision;

/// A request as it came in: what every decision about it has in common.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    pub(super) started: Instant,
    /// The action, and where the request came from. The gateway is not among it: for tokens, gateways are places.
    pub(super) facts: Facts,
}

/// What was decided about a plan.
pub(super) enum Ruled {
    /// It may be carried out.
    Admitted,
    /// It could be, but the component cannot read all of what would be stored: this is what it says.
    Unreadable(Rejection),
}

impl Gateway {
    /// Has a plan decided. Lists and attributes of a token that cannot be read count as not said: who may not do it
    /// even then hears that, and who may hears what cannot be read.
    pub(super) fn decide_plan(
        &self,
        who: &Who,
        call: &Call<'_>,
        planned: &Planned,
        at: Timestamp,
    ) -> Result<Ruled, Rejection> {
        let first = self.decide_facts(who, call, planned.about(), at);
        if first.outcome() != Outcome::RequestInvalid {
            return self.ruled(who, call, first, at).map(|()| Ruled::Admitted);
        }
        let second = self.decide_facts(who, call, planned.about_in_small(), at);
        self.ruled(who, call, second, at)?;
        Ok(match first.into_result() {
            Ok(_permit) => Ruled::Admitted,
            Err(denial) => Ruled::Unreadable(denial.into()),
        })
    }

    fn decide_facts(&self, who: &Who, call: &Call<'_>, about: About, at: Timestamp) -> Decision {
        let About { current, target } = about;
        let mut facts = call.facts.clone();
        facts.current = current;
        facts.target = target;
        self.pdp.decide(&who.prepared.principal, &facts, at)
    }

    /// Has an action decided that is about no token, or about many.
    pub(super) fn decide_action(&self, who: &Who, call: &Call<'_>, at: Timestamp) -> Result<(), Rejection> {
        let decision = self.pdp.decide(&who.prepared.principal, &call.facts, at);
        self.ruled(who, call, decision, at)
    }

    /// Tells what was decided, and what follows from it.
    fn ruled(&self, who: &Who, call: &Call<'_>, decision: Decision, at: Timestamp) -> Result<(), Rejection> {
        let verdict = if decision.is_allow() { Verdict::Allow } else { Verdict::Deny };
        let mut event = Event::new(call.caller.request_id().as_str(), at, call.facts.action.as_str(), verdict);
        who.prepared.sign(&mut event);
        event.status = decision.status();
        event.code = decision.code().map(Into::into);
        tell_decision(&mut event, &decision);
        event.latency_us = u64::try_from(call.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.recorder.record(event);
        decision.into_result().map(|_permit| ()).map_err(Rejection::from)
    }
}
