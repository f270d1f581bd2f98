//! One request, from its head to the head of its reply.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cedargate::Denial;
use cedargate_http::admit::{self, Admission};
use cedargate_http::discovery;
use cedargate_http::extract::{Asked, Envelope};
use cedargate_http::facts::Facts;
use cedargate_http::models::{self, Shown};
use cedargate_http::reply::{self, Caller, Refusal, Rejection, RequestId, Unavailable};
use cedargate_http::route::Endpoint;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;

use crate::body::ReplyBody;
use crate::budget::{self, Amounts, Reservation, Spender};
use crate::forward::{Call, outbound_headers};
use crate::gateway::Gateway;
use crate::identify::{Identity, Who};
use crate::live::Live;
use crate::principals::Principals;
use crate::receive::receive;
use crate::story::Story;

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The number of the listener.
    pub(crate) listener: usize,
    pub(crate) peer: IpAddr,
}

/// A request that was received and read.
struct Heard<'a> {
    live: &'a Live,
    caller: &'a Caller,
    asked: &'a Asked,
    facts: Facts<'a>,
    parts: Parts,
    body: Bytes,
}

impl Gateway {
    /// Answers a request.
    pub(crate) async fn handle(self: &Arc<Self>, origin: Origin, request: Request<Incoming>) -> Response<ReplyBody> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts, RequestId::fresh());
        if Endpoint::is_probe(&parts.method, parts.uri.path()) {
            self.metrics.replied(Some(Endpoint::Probe), 200, started.elapsed());
            return Response::new(ReplyBody::empty());
        }
        let mut endpoint = None;
        let mut story = Some(Story::new(caller.request_id(), started, self.clock.now()));
        let answer = self.answer(origin, parts, body, &caller, &mut endpoint, &mut story).await;
        let response = answer.unwrap_or_else(|rejection| {
            if let Some(story) = &story {
                self.tell_rejected(story, &rejection);
            }
            reply::reply(&rejection, &caller).map(ReplyBody::full)
        });
        self.metrics.replied(endpoint, response.status().as_u16(), started.elapsed());
        response
    }

    async fn answer(
        self: &Arc<Self>,
        origin: Origin,
        parts: Parts,
        body: Incoming,
        caller: &Caller,
        endpoint: &mut Option<Endpoint>,
        slot: &mut Option<Story>,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let live = self.live.load_full();
        let place = live.place(origin.listener).ok_or(Refusal::Unavailable(Unavailable::ShuttingDown))?;
        #[cfg(feature = "bench-open")]
        if self.open {
            return self.answer_unasked(&live, parts, body, caller).await;
        }
        let Some(story) = slot.as_mut() else { return Err(Refusal::RouteUnknown.into()) };
        let identity = self.identify(&live, &parts, place.guesser(origin.peer, &parts.headers)).await?;
        story.who_is(&identity.who);
        let envelope = Envelope::open(&parts, &live.limits)?;
        *endpoint = Some(envelope.route().endpoint());
        story.route_is(envelope.route().endpoint());
        let client_ip = place.trusted.client_ip(origin.peer, &parts.headers)?;
        let timeouts = &live.config.timeouts;
        let received = receive(body, envelope.body_bytes_max(), timeouts.body, &self.room).await?;
        let asked = envelope.read(&received.bytes, &live.catalogue)?;
        let facts = Facts { client_ip: Some(client_ip), ..place.facts(asked.route()).borrowed() };
        let heard = Heard { live: &live, caller, asked: &asked, facts, parts, body: received.bytes.clone() };
        let answered = self.answer_heard(heard, identity, slot).await;
        if let (Err(_), Some(story)) = (&answered, slot) {
            story.asked_in_vain(&asked);
        }
        answered
    }

    /// Answers what was asked, where it is admitted.
    async fn answer_heard(
        self: &Arc<Self>,
        heard: Heard<'_>,
        mut identity: Identity,
        slot: &mut Option<Story>,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let Heard { live, caller, asked, mut facts, parts, body } = heard;
        let Some(story) = slot.as_mut() else { return Err(Refusal::RouteUnknown.into()) };
        if self.identify_again(&mut identity)? {
            story.who_is(&identity.who);
        }
        let amounts = || amounts(live, asked, body.len());
        let (admission, reservation) = self.admit(live, &identity.who, &mut facts, asked, amounts, story).await?;
        match asked.endpoint() {
            Endpoint::ModelsList | Endpoint::ModelsRead => {
                let answer = self.discover(live, &identity.who, &facts, asked, &admission, &parts)?;
                reservation.settle(Amounts::Discovery);
                self.tell_answered(slot, &admission);
                Ok(json(answer, caller))
            }
            _ => {
                let counts = reservation.counts_usage() && asked.stream() && asked.include_usage() != Some(true);
                let call = Call {
                    live,
                    count: counts && matches!(asked.endpoint(), Endpoint::ChatCompletions | Endpoint::Completions),
                    asked,
                    caller,
                    query: parts.uri.query().map(str::to_owned),
                    headers: outbound_headers(parts.headers, caller, identity.credential.expose()),
                    body,
                    own_key: identity.own_key.take(),
                };
                self.forward(&call, &admission, reservation, slot).await
            }
        }
    }

    /// Reserves what the request may spend and has it decided. Where it is denied, what was reserved is given back.
    async fn admit(
        &self,
        live: &Live,
        who: &Who,
        facts: &mut Facts<'_>,
        asked: &Asked,
        amounts: impl FnOnce() -> Amounts,
        story: &mut Story,
    ) -> Result<(Admission, Reservation), Rejection> {
        let at = self.clock.now();
        let token = who.entry.as_ref().map(|entry| Spender { id: entry.token_id(), allowances: entry.allowances() });
        let team = who.prepared.team.as_ref();
        let team = team.map(|team| Spender { id: team, allowances: live.allowances(team) });
        let reservation = budget::reserve(&self.ledger, at, token, team, amounts).await?;
        if let Some(counters) = reservation.counters() {
            facts.counters.clone_from(counters);
        }
        let judged = admit::judge(&self.pdp, &who.prepared.principal, facts, asked, at);
        self.record(story, who, &judged, at, || facts.requests(asked));
        story.decided(at, &judged);
        if self.shadow.load().is_some() {
            story.is_shadowed(facts.requests(asked));
        }
        let admission = admit::settle(asked, judged)?;
        if let Some(entry) = &who.entry
            && Principals::is_first_use(entry)
        {
            self.recorder.note_use(entry.token_id(), entry.secret_version(), at);
        }
        Ok((admission, reservation))
    }

    /// Lists models, or shows one: what the same policies admit.
    fn discover(
        &self,
        live: &Live,
        who: &Who,
        facts: &Facts<'_>,
        asked: &Asked,
        admission: &Admission,
        parts: &Parts,
    ) -> Result<Bytes, Rejection> {
        let principal = &who.prepared.principal;
        match (asked.model(), admission.candidates().next()) {
            (Some(id), Some((candidate, _permit))) => {
                Ok(models::one(asked.dialect(), &Shown::asked(&live.catalogue, id, &candidate.provider)))
            }
            (Some(_), None) => Err(Refusal::ModelUnknown.into()),
            (None, _) => {
                let at = self.clock.now();
                let shown = discovery::visible(&self.pdp, principal, facts, asked.team(), &live.catalogue, at);
                let shown = shown.map_err(|denial: Denial| Rejection::from(denial))?;
                Ok(models::list(asked.dialect(), &parts.uri, &shown)?)
            }
        }
    }

    /// Tells of a request that the gateway answered itself.
    fn tell_answered(&self, slot: &mut Option<Story>, admission: &Admission) {
        let (Some(story), Some(permit)) = (slot.take(), admission.permit()) else { return };
        let candidate = admission.candidates().next().map(|(candidate, _)| candidate);
        if let Some(event) = story.admitted(candidate, permit.decision(), 200) {
            self.tell(&story, event, candidate);
        }
    }
}

/// What a request may spend at most, wherever it goes.
fn amounts(live: &Live, asked: &Asked, body_bytes: usize) -> Amounts {
    use cedargate_http::catalogue::Resolution;
    let candidates = match asked.resolution() {
        Some(Resolution::Candidates(candidates)) => &**candidates,
        Some(Resolution::Unroutable { .. }) | None => &[],
    };
    let most = candidates.iter().map(|candidate| Amounts::most(asked, body_bytes, live.model(candidate)));
    most.reduce(Amounts::max).unwrap_or(Amounts::Discovery)
}

fn json(body: Bytes, caller: &Caller) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(caller.request_id_header(), caller.request_id().header());
    response
}
