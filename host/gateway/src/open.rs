//! The same proxy with authorization switched off: what is measured against. No other build has it.

use std::sync::Arc;

use cedargate_http::catalogue::Resolution;
use cedargate_http::extract::Envelope;
use cedargate_http::reply::{Caller, Refusal, Rejection, Upstream};
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::body::ReplyBody;
use crate::forward::{Call, Pass, outbound_headers, relay};
use crate::gateway::Gateway;
use crate::live::Live;
use crate::receive::receive;
use crate::relay::{Ending, OnEnd};

/// Counts how replies end, as the whole gateway does.
struct Counting(Arc<Gateway>);

impl OnEnd for Counting {
    fn ended(self: Box<Self>, ending: Ending) {
        self.0.metrics.ended(&ending);
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
            headers: outbound_headers(parts.headers, caller),
            body: received.bytes.clone(),
            own_key: None,
            count: false,
        };
        let target = candidates.first().and_then(|candidate| call.target(candidate)).ok_or(Refusal::ModelUnknown)?;
        let started = Instant::now();
        let response = target.send(&call, Pass::Unasked).await;
        let response = response.map_err(|_| Refusal::Upstream(Upstream::Unreachable))?;
        Ok(relay(&call, response, Box::new(Counting(Arc::clone(self))), started))
    }
}
