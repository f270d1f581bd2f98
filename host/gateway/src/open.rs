//! The same proxy with authorization switched off: what is measured against. It reads, meters and records requests as
//! the whole gateway does. No other build has it.

use std::sync::Arc;

use cedargate_http::catalogue::Resolution;
use cedargate_http::extract::Envelope;
use cedargate_http::reply::{Caller, Refusal, Rejection, Upstream};
use cedargate_tokens::{Event, Verdict};
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::ReplyBody;
use crate::budget::cost_nanos;
use crate::config::Price;
use crate::forward::{Call, Pass, outbound_headers, relay};
use crate::gateway::Gateway;
use crate::live::Live;
use crate::receive::receive;
use crate::relay::{Ending, OnEnd};

/// Counts and records how replies end, as the whole gateway does.
struct Counting {
    gateway: Arc<Gateway>,
    event: Event,
    started: Instant,
    price: Option<Price>,
}

impl OnEnd for Counting {
    fn ended(self: Box<Self>, ending: Ending) {
        let Self { gateway, mut event, started, price } = *self;
        gateway.metrics.ended(&ending);
        event.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(usage) = ending.usage {
            event.tokens_in = Some(usage.input_tokens);
            event.tokens_out = Some(usage.output_tokens);
            event.cost_nanos = price.map(|price| cost_nanos(&usage, &price));
        }
        gateway.recorder.record(event);
    }
}

impl Gateway {
    /// Forwards a request to the first candidate.
    pub(crate) async fn answer_unasked(
        self: &Arc<Self>,
        live: &Live,
        parts: Parts,
        body: Incoming,
        caller: &Caller,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let envelope = Envelope::open(&parts, &live.limits)?;
        let received = receive(body, envelope.body_bytes_max(), live.config.timeouts.body, &self.room).await?;
        let asked = envelope.read(&received.bytes, &live.catalogue)?;
        let Some(Resolution::Candidates(candidates)) = asked.resolution() else {
            return Err(Refusal::ModelUnknown.into());
        };
        let call = Call {
            live,
            asked: &asked,
            caller,
            query: parts.uri.query().map(str::to_owned),
            headers: outbound_headers(parts.headers, caller, ""),
            body: received.bytes.clone(),
            own_key: None,
            count: false,
        };
        let candidate = candidates.first().ok_or(Refusal::ModelUnknown)?;
        let target = call.target(candidate).ok_or(Refusal::ModelUnknown)?;
        let started = Instant::now();
        let action = asked.action().map_or("", |action| action.name());
        let mut event = Event::new(caller.request_id().as_str(), self.clock.now(), action, Verdict::Allow);
        event.provider = Some(Arc::clone(&candidate.provider));
        event.model = Some(Arc::clone(&candidate.model));
        let price = live.model(candidate).and_then(|model| model.price);
        let response = target.send(&call, Pass::Unasked).await;
        let response = response.map_err(|_| Refusal::Upstream(Upstream::Unreachable))?;
        let counting = Counting { gateway: Arc::clone(self), event, started, price };
        Ok(relay(&call, response, Box::new(counting), started))
    }
}
