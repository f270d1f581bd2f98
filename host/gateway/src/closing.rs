//! What remains to be done about an admitted request once its reply has ended: settle, count, tell.

use std::sync::Arc;

use cedargate::Permit;
use cedargate_http::catalogue::Candidate;

use crate::budget::{Amounts, Kind, Reservation, cost_nanos};
use crate::config::Price;
use crate::gateway::Gateway;
use crate::relay::{Ending, OnEnd, RelayError};
use crate::story::Story;

/// An admitted request that is on its way to a provider.
///
/// Dropped without an end, as when the client goes away, everything that was set aside counts as spent: the provider
/// may have answered.
pub(crate) struct Closing {
    open: Option<Open>,
}

struct Open {
    gateway: Arc<Gateway>,
    story: Story,
    reservation: Reservation,
    goes_to: Destination,
    kind: Kind,
    status: u16,
}

/// Where a request goes, and why it may.
pub(crate) struct Destination {
    pub(crate) candidate: Candidate,
    pub(crate) permit: Permit,
    pub(crate) price: Option<Price>,
}

impl Closing {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        story: Story,
        reservation: Reservation,
        goes_to: Destination,
        kind: Kind,
    ) -> Self {
        // A client that goes away before the reply has this status in the logs of most proxies.
        Self { open: Some(Open { gateway, story, reservation, goes_to, kind, status: 499 }) }
    }

    /// The request goes elsewhere now.
    pub(crate) fn goes_to(&mut self, destination: Destination) {
        if let Some(open) = &mut self.open {
            open.story.failed(&open.goes_to.candidate, &open.goes_to.permit);
            open.goes_to = destination;
        }
    }

    /// The provider answers with this status.
    pub(crate) fn answered(&mut self, status: u16) {
        if let Some(open) = &mut self.open {
            open.status = status;
        }
    }

    /// No provider answered: nothing is spent. The story goes on as that of a failure.
    pub(crate) fn release(mut self) -> Option<Story> {
        self.open.take().map(|open| {
            let Open { mut story, goes_to, .. } = open;
            story.failed(&goes_to.candidate, &goes_to.permit);
            story
        })
    }
}

impl OnEnd for Closing {
    fn ended(mut self: Box<Self>, ending: Ending) {
        if let Some(open) = self.open.take() {
            open.close(&ending);
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.close(&Ending { usage: None, result: Err(RelayError::Abandoned) });
        }
    }
}

impl Open {
    fn close(self, ending: &Ending) {
        let Self { gateway, story, reservation, goes_to, kind, status } = self;
        let Destination { candidate, permit, price } = goes_to;
        gateway.metrics.ended(ending);
        let event = story.admitted(Some(&candidate), permit.decision(), status);
        let told = event.map(|mut event| {
            if let Some(usage) = ending.usage {
                event.tokens_in = Some(usage.input_tokens);
                event.tokens_out = Some(usage.output_tokens);
                event.cost_nanos = price.map(|price| cost_nanos(&usage, &price));
            }
            event
        });
        settle(reservation, ending, price.as_ref(), kind, status);
        if let Some(event) = told {
            gateway.tell(&story, event, Some(&candidate));
        }
    }
}

/// What a provider refused cost nothing; what nobody counted costs what was set aside.
fn settle(reservation: Reservation, ending: &Ending, price: Option<&Price>, kind: Kind, status: u16) {
    let nothing = Amounts::Traffic { tokens: 0, nanos: 0 };
    match (kind, ending.usage, ending.result) {
        (Kind::Question, ..) => reservation.settle(Amounts::Discovery),
        (_, Some(usage), Ok(())) => reservation.settle(Amounts::of_usage(&usage, price)),
        (_, None, Ok(())) if !(200..300).contains(&status) => reservation.settle(nothing),
        (Kind::Media, None, Ok(())) => reservation.settle(Amounts::of_usage(&crate::usage::Usage::default(), price)),
        (_, None, Ok(())) | (_, _, Err(_)) => reservation.settle_whole(),
    }
}
