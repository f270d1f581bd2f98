//! The control plane: tokens over HTTP, on a listener of its own.
//!
//! Whoever asks is a principal like any other, and the component decides the actions `tokens.*`. The token as it is and
//! as it would be stored are facts of the decision, and what is decided about is what is stored: where somebody else
//! was faster, it is planned and decided again. What is wrong with a request is said to those alone who may do what it
//! asks for. The paths are those of the product's pages.

mod answer;
mod ask;
mod body;
mod decide;
mod list;
mod plan;
mod route;
mod view;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedargate::model::{Request as Facts, Timestamp};
use cedargate_http::reply::{self, Caller, Refusal, RequestId, Unavailable};
use cedargate_tokens::{Actor, Rules, StoreError, TRIES_MAX, TokenError, Tokens};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::ReplyBody;
use crate::gateway::Gateway;
use crate::identify::{Identity, Who};
use crate::live::Live;
use crate::receive::receive;
use answer::{Answer, Failure};
use ask::{Asked, Deed};
use decide::{Call, Ruled};
use plan::{Done, Planned};
use route::Operation;

/// Bytes of a request: lists of models and networks fit.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long the body of a request may take.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

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
        let client_ip = live.control_trusted.client_ip(peer, &parts.headers)?;
        let received = receive(body, BODY_BYTES_MAX, BODY_PATIENCE, &self.room).await;
        let body = match &received {
            Ok(received) => Ok(&*received.bytes),
            Err(Refusal::BodyTooLarge) => Err(Failure::from(Refusal::BodyTooLarge)),
            Err(refusal) => return Err(refusal.clone().into()),
        };
        let Asked { deed, mistake } = Asked::read(operation, parts.uri.query(), body);
        let tokens = self.tokens.acting_as(actor(&identity.who)?).under(self.rules(&live));
        let mut facts = Facts::new(deed.action());
        facts.org_id.clone_from(&live.config.org_id);
        facts.client_ip = Some(client_ip.to_string());
        let call = Call { caller, started, facts };
        if let Deed::List(listing) = &deed {
            self.identify_again(&mut identity)?;
            let at = tokens.now();
            self.decide_action(&identity.who, &call, at)?;
            return match mistake {
                Some(mistake) => Err(mistake),
                None => self.list(&identity.who, &call, &tokens, listing, at).await,
            };
        }
        self.change(identity, &call, &tokens, &deed, mistake).await
    }

    /// Plans what is asked for, has it decided, and does that very thing. Where the token was changed meanwhile, it is
    /// another thing.
    async fn change(
        &self,
        mut identity: Identity,
        call: &Call<'_>,
        tokens: &Tokens,
        deed: &Deed,
        mut mistake: Option<Failure>,
    ) -> Result<Answer, Failure> {
        if deed.may_repeat() {
            // Whether the secret of an earlier call was used here a moment ago may not be written yet.
            self.recorder.flush().await.map_err(TokenError::from)?;
        }
        let mut tries = 0;
        loop {
            let at = tokens.now();
            let planned = Planned::of(deed, tokens, at).await?.ok_or(Refusal::RouteUnknown)?;
            self.identify_again(&mut identity)?;
            let ruled = self.decide_plan(&identity.who, call, &planned, at)?;
            if let Some(mistake) = mistake.take() {
                return Err(mistake);
            }
            if let Ruled::Unreadable(rejection) = ruled {
                planned.check(tokens)?;
                return Err(Failure::Rejected(rejection));
            }
            match planned.carry_out(tokens).await {
                Ok(done) => return Ok(answer(&done, at)),
                Err(TokenError::Store(StoreError::Conflict)) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
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
}

/// In whose name the audit log keeps a change.
fn actor(who: &Who) -> Result<Actor, Refusal> {
    Actor::new(format!("token:{}", who.prepared.id)).map_err(|error| {
        tracing::error!(%error, "a token cannot act");
        Refusal::Unavailable(Unavailable::Principal)
    })
}

/// What is said of what was done.
fn answer(done: &Done, at: Timestamp) -> Answer {
    match done {
        Done::Created(created) => Answer::new(StatusCode::CREATED, view::created(created, at)),
        Done::Rotated(rotated) => Answer::new(StatusCode::OK, view::rotated(rotated, at)),
        Done::Shown(token) => Answer::new(StatusCode::OK, view::token(token, at)),
    }
}
