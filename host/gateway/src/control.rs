//! The control plane: tokens over HTTP, on a listener of its own.
//!
//! Whoever asks is a principal like any other, and the component decides the actions `tokens.*`; what is to be granted
//! is a fact of the decision. The paths are those of the product's pages.

mod answer;
mod ask;
mod route;
mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedargate::model::Request as Facts;
use cedargate_http::reply::{self, Caller, Refusal, Rejection, RequestId, Unavailable};
use cedargate_tokens::{Actor, Event, Rules, Selector, TokenError, Tokens, Verdict};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::ReplyBody;
use crate::gateway::Gateway;
use crate::identify::Who;
use crate::live::Live;
use crate::receive::receive;
use crate::story::tell_decision;
use answer::{Answer, Failure};
use ask::{Asked, Created, Rotated};
use route::Operation;

/// Bytes of a request: lists of models and networks fit.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long the body of a request may take.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Tokens that one list holds at most.
const LIST_MAX: usize = 10_000;

impl Gateway {
    /// Answers a request of the control plane.
    pub(crate) async fn control(self: &Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Response<ReplyBody> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts, RequestId::fresh());
        match self.controlled(peer, &parts, body, &caller, started).await {
            Ok(answer) => answer.into_response(&caller),
            Err(Failure::Rejected(rejection)) => reply::reply(&rejection, &caller).map(ReplyBody::full),
            Err(Failure::Answered(answer)) => answer.into_response(&caller),
        }
    }

    async fn controlled(
        &self,
        peer: IpAddr,
        parts: &Parts,
        body: Incoming,
        caller: &Caller,
        started: Instant,
    ) -> Result<Answer, Failure> {
        let live = self.live.load_full();
        let mut identity = self.identify(&live, parts, peer).await?;
        if identity.own_key.is_some() {
            // A provider's key is nobody here.
            return Err(Refusal::TokenUnknown.into());
        }
        let operation = Operation::of(&parts.method, parts.uri.path())?;
        let received = receive(body, BODY_BYTES_MAX, BODY_PATIENCE, &self.room).await?;
        let tokens = self.tokens.acting_as(actor(&identity.who)?).under(self.rules(&live));
        let asked = Asked::read(operation, parts.uri.query(), &received.bytes, &tokens).await?;
        self.identify_again(&mut identity)?;
        let mut facts = Facts::new(asked.action());
        facts.gateway_id = Some(live.config.gateway_id.clone());
        facts.org_id.clone_from(&live.config.org_id);
        facts.client_ip = Some(peer.to_canonical().to_string());
        facts.target = asked.target();
        let decided = self.decide_control(&identity.who, &facts, caller, started);
        decided.map_err(Failure::Rejected)?;
        if matches!(&asked, Asked::Rotate(_, rotation) if rotation.idempotency_key.is_some()) {
            // Whether the secret of an earlier call was used here a moment ago may not be written yet.
            self.recorder.flush().await.map_err(TokenError::from)?;
        }
        perform(&tokens, asked).await
    }

    /// What tokens must be like here.
    fn rules(&self, live: &Live) -> Rules {
        let pdp = self.pdp.clone();
        Rules {
            expiry_max: live.config.token_life_max,
            catalogue: Some(Arc::clone(&live.bindable)),
            profile_check: Some(Arc::new(move |profile| match pdp.principal(profile) {
                Ok(_principal) => Ok(()),
                Err(error) => Err(error.to_string()),
            })),
        }
    }

    /// Asks the component, and tells what it said.
    fn decide_control(&self, who: &Who, facts: &Facts, caller: &Caller, started: Instant) -> Result<(), Rejection> {
        let at = self.clock.now();
        let decision = self.pdp.decide(&who.prepared.principal, facts, at);
        let verdict = if decision.is_allow() { Verdict::Allow } else { Verdict::Deny };
        let mut event = Event::new(caller.request_id().as_str(), at, facts.action.as_str(), verdict);
        who.prepared.sign(&mut event);
        event.status = decision.status();
        event.code = decision.code().map(Into::into);
        tell_decision(&mut event, &decision);
        event.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.recorder.record(event);
        decision.into_result().map(|_permit| ()).map_err(Rejection::from)
    }
}

/// In whose name the audit log keeps a change.
fn actor(who: &Who) -> Result<Actor, Refusal> {
    Actor::new(format!("token:{}", who.prepared.id)).map_err(|error| {
        tracing::error!(%error, "a token cannot act");
        Refusal::Unavailable(Unavailable::Principal)
    })
}

/// Does what was admitted.
async fn perform(tokens: &Tokens, asked: Asked) -> Result<Answer, Failure> {
    let by_id = Selector::Id;
    let now = tokens.now();
    let answer = match asked {
        Asked::List(filter) => view::list(&tokens.matching(&filter, LIST_MAX).await?, now),
        Asked::Inspect(id) => view::token(&tokens.find(&by_id(id)).await?, now),
        Asked::Create(new) => {
            let created = tokens.create(*new).await?;
            let shown = Created { token: created.token, secret: created.secret };
            return Ok(Answer::new(StatusCode::CREATED, view::created(&shown, now)));
        }
        Asked::Edit(id, edit, _) => view::token(&tokens.edit(&by_id(id), &edit).await?, now),
        Asked::Rotate(id, rotation) => {
            let rotated = tokens.rotate(&by_id(id), &rotation).await?;
            view::rotated(
                &Rotated { token: rotated.token, secret: rotated.secret, grace_until: rotated.grace_until },
                now,
            )
        }
        Asked::Revoke(id, version) => view::token(&tokens.revoke(&by_id(id), version).await?, now),
        Asked::Disable(id, _) => view::token(&tokens.disable(&by_id(id)).await?, now),
        Asked::Enable(id, _) => view::token(&tokens.enable(&by_id(id)).await?, now),
    };
    Ok(Answer::new(StatusCode::OK, answer))
}
