//! A policy enforcement point for `tower`: admits or denies before the service behind it sees a request.
//!
//! The service behind gets the body whole, the headers without credentials and identities, and an [`Admitted`] in the
//! extensions. It reaches a provider only for what [`Admitted::admission`] holds.

mod authenticate;
mod settings;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use cedargate::{Pdp, Principal};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

pub use authenticate::Authenticate;
pub use settings::{Peer, Settings};

use crate::admit::{self, Admission};
use crate::catalogue::Catalogue;
use crate::credential;
use crate::extract::{self, Asked, Envelope};
use crate::facts::Facts;
use crate::hygiene;
use crate::reply::{Caller, Refusal, Rejection, RequestId, reply};
use crate::route::Endpoint;

/// What the service behind finds in the extensions of a request.
#[derive(Clone, Debug)]
pub struct Admitted {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    admission: Admission,
    asked: Asked,
    principal: Principal,
    caller: Caller,
    facts: Facts<'static>,
}

impl Admitted {
    /// Where the request may go.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// What is asked for.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.inner.asked
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.inner.principal
    }

    /// How to answer.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.inner.caller
    }

    /// What the host knew, to decide which models to list.
    #[must_use]
    pub fn facts(&self) -> &Facts<'static> {
        &self.inner.facts
    }
}

/// Puts a policy enforcement point before a service. Cheap to clone.
pub struct AuthorizeLayer<A> {
    shared: Arc<Shared<A>>,
}

struct Shared<A> {
    pdp: Pdp,
    authenticator: A,
    catalogue: Arc<dyn Catalogue>,
    settings: Settings,
}

impl<A> Clone for AuthorizeLayer<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A: Authenticate> AuthorizeLayer<A> {
    /// An enforcement point for these policies, tokens and models.
    pub fn new(pdp: Pdp, authenticator: A, catalogue: Arc<dyn Catalogue>, settings: Settings) -> Self {
        Self { shared: Arc::new(Shared { pdp, authenticator, catalogue, settings }) }
    }
}

impl<S, A> Layer<S> for AuthorizeLayer<A> {
    type Service = Authorize<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Authorize { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service behind a policy enforcement point.
pub struct Authorize<S, A> {
    inner: S,
    shared: Arc<Shared<A>>,
}

impl<S: Clone, A> Clone for Authorize<S, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S, A, B, O> Service<Request<B>> for Authorize<S, A>
where
    S: Service<Request<Full<Bytes>>, Response = Response<O>> + Clone + Send + 'static,
    S::Future: Send,
    A: Authenticate + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    O: From<Bytes>,
{
    type Response = Response<O>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<O>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled to be ready is the one to call; a clone is not ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            credential::conceal(&mut parts.headers);
            let caller = Caller::of(&parts, RequestId::fresh());
            match shared.enforce(parts, body, &caller).await {
                Ok(Passage::Through(request)) => inner.call(*request).await,
                Ok(Passage::Probed) => Ok(Response::new(Bytes::new().into())),
                Err(rejection) => {
                    let (status, code) = (rejection.status(), rejection.code());
                    tracing::debug!(request_id = %caller.request_id(), status, code, "not admitted");
                    Ok(reply(&rejection, &caller).map(O::from))
                }
            }
        })
    }
}

/// What becomes of a request that is not denied.
enum Passage {
    /// It goes to the service behind.
    Through(Box<Request<Full<Bytes>>>),
    /// It only asked whether anybody listens.
    Probed,
}

impl<A: Authenticate> Shared<A> {
    async fn enforce<B>(&self, mut parts: Parts, body: B, caller: &Caller) -> Result<Passage, Rejection>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if Endpoint::is_probe(&parts.method, parts.uri.path()) {
            return Ok(Passage::Probed);
        }
        let credential = credential::present(&parts)?;
        let principal = self.authenticator.authenticate(&credential)?.ok_or(Refusal::TokenUnknown)?;
        let envelope = Envelope::open(&parts, &self.settings.limits)?;
        let facts = self.settings.facts(&parts)?;
        let body = extract::collect(body, envelope.body_bytes_max()).await?;
        let asked = envelope.read(&body, self.catalogue.as_ref())?;
        let admission = admit::admit(&self.pdp, &principal, &facts, &asked, (self.settings.clock)())?;
        hygiene::strip(&mut parts.headers, credential.expose());
        let inner = Inner { admission, asked, principal, caller: caller.clone(), facts: facts.into_owned() };
        parts.extensions.insert(Admitted { inner: Arc::new(inner) });
        Ok(Passage::Through(Box::new(Request::from_parts(parts, Full::new(body)))))
    }
}
