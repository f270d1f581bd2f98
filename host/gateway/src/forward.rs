//! The way of an admitted request to a provider, and of its reply back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cedargate::Permit;
use cedargate_http::admit::Admission;
use cedargate_http::catalogue::Candidate;
use cedargate_http::extract::Asked;
use cedargate_http::hygiene;
use cedargate_http::reply::{Caller, Refusal, Rejection, Upstream};
use cedargate_http::route::{self, Endpoint};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::Instant;

use crate::body::{ReplyBody, Source};
use crate::budget::{Kind, Reservation};
use crate::closing::{Closing, Destination};
use crate::config::{Dialect, Model, Provider, ProviderKey};
use crate::echo;
use crate::gateway::Gateway;
use crate::identify::OwnKey;
use crate::live::Live;
use crate::relay::{OnEnd, Patience, Relay};
use crate::reply_headers;
use crate::story::Story;
use crate::trace::Trace;
use crate::upstream::UpstreamError;
use crate::usage::Meter;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request on its way.
pub(crate) struct Call<'a> {
    pub(crate) live: &'a Live,
    pub(crate) asked: &'a Asked,
    pub(crate) caller: &'a Caller,
    /// The client's, without what no provider may see. Each provider gets those that are on its list.
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) own_key: Option<OwnKey>,
    /// The provider is asked to count in a stream, where the client did not ask.
    pub(crate) count: bool,
}

/// Takes away what no provider may see, and sets what it should.
pub(crate) fn outbound_headers(mut headers: HeaderMap, caller: &Caller, presented: &str) -> HeaderMap {
    let trace = Trace::of(&headers);
    tracing::debug!(request = %caller.request_id(), trace = trace.id(), "forwarding");
    hygiene::strip(&mut headers, presented);
    for name in [HOST, CONTENT_LENGTH, ACCEPT_ENCODING] {
        // What is compressed cannot be metered.
        headers.remove(name);
    }
    trace.apply(&mut headers);
    headers.insert(REQUEST_ID, caller.request_id().header());
    headers
}

impl Gateway {
    /// Sends a request to the first candidate that answers, among those that were admitted and no others.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        call: &Call<'_>,
        admission: &Admission,
        reservation: Reservation,
        story: &mut Option<Story>,
    ) -> Result<Response<ReplyBody>, Rejection> {
        let mut targets =
            admission.candidates().filter_map(|(candidate, permit)| Some((call.target(candidate)?, permit)));
        let mut next = targets.next();
        // Admitted, but perhaps at no provider that speaks like this endpoint.
        let Some((first, permit)) = next.as_ref() else {
            if let (Some(story), Some((candidate, permit))) = (story.as_mut(), admission.candidates().next()) {
                story.failed(candidate, permit);
            }
            return Err(Refusal::ModelUnknown.into());
        };
        let told = story.take().ok_or(Refusal::RouteUnknown)?;
        let started = Instant::now();
        let kind = Kind::of(call.asked.endpoint());
        let mut closing = Closing::new(Arc::clone(self), told, reservation, first.destination(permit), kind);
        let mut failure = UpstreamError::Unreachable;
        while let Some((target, permit)) = next.take() {
            let sent = target.send(call, Pass::Permitted(permit)).await;
            next = targets.next();
            match sent {
                Ok(response) if next.is_some() && is_worth_another(response.status()) => {
                    tracing::warn!(provider = &*target.candidate.provider, status = %response.status(), "falling back");
                }
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && call.own_key.is_none() => {
                    // The client's token is good: a 401 would send it to look for another.
                    tracing::error!(provider = &*target.candidate.provider, "a provider refuses the gateway's key");
                    *story = closing.release();
                    return Err(Refusal::Upstream(Upstream::Malformed).into());
                }
                Ok(response) => {
                    closing.answered(response.status().as_u16());
                    return Ok(relay(call, response, Box::new(closing), started));
                }
                Err(error) => {
                    self.metrics.failed(error);
                    failure = error;
                }
            }
            if let Some((target, permit)) = &next {
                closing.goes_to(target.destination(permit));
            }
        }
        *story = closing.release();
        Err(refusal(failure).into())
    }
}

/// The reply on its way to the client.
pub(crate) fn relay(
    call: &Call<'_>,
    response: Response<Source>,
    on_end: Box<dyn OnEnd>,
    started: Instant,
) -> Response<ReplyBody> {
    let (mut parts, source) = response.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let meter = Meter::new(content_type);
    let limits = &call.live.config.limits;
    let timeouts = &call.live.config.timeouts;
    let far = || started.checked_add(Duration::from_secs(86_400)).unwrap_or(started);
    let patience = Patience {
        idle: timeouts.idle,
        until: started.checked_add(timeouts.response).unwrap_or_else(far),
        bytes: limits.response_bytes,
    };
    let strips = call.count && meter.reads_events();
    let relay = Relay::new(source, meter, patience, on_end);
    reply_headers::clean(&mut parts.headers, call.caller);
    if strips {
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, ReplyBody::relay(relay.without_count()));
    }
    Response::from_parts(parts, ReplyBody::relay(relay))
}

/// Why a request may be sent.
#[derive(Clone, Copy)]
pub(crate) enum Pass<'a> {
    /// It was admitted.
    Permitted(&'a Permit),
    /// Nobody was asked: only a build that measures what asking costs has this.
    #[cfg(feature = "bench-open")]
    Unasked,
}

/// A candidate at a provider that speaks like the endpoint.
pub(crate) struct Target<'a> {
    candidate: &'a Candidate,
    provider: &'a Provider,
    model: Option<&'a Model>,
}

impl Call<'_> {
    /// Where to send the request for a candidate.
    pub(crate) fn target<'a>(&'a self, candidate: &'a Candidate) -> Option<Target<'a>> {
        let provider = self.live.provider(&candidate.provider)?;
        let speaks = match provider.dialect {
            Dialect::OpenAi => route::Dialect::OpenAi,
            Dialect::Anthropic => route::Dialect::Anthropic,
            Dialect::Azure => route::Dialect::Azure,
            Dialect::Gemini => route::Dialect::Gemini,
            Dialect::Echo => self.asked.dialect(),
        };
        // A provider's key goes to its provider alone, whatever else was admitted.
        let is_his = self.own_key.as_ref().is_none_or(|own| own.provider == candidate.provider);
        let model = self.live.model(candidate);
        (speaks == self.asked.dialect() && is_his).then_some(Target { candidate, provider, model })
    }
}

impl Target<'_> {
    fn destination(&self, permit: &Permit) -> Destination {
        let price = self.model.and_then(|model| model.price);
        Destination { candidate: self.candidate.clone(), permit: permit.clone(), price }
    }

    /// Sends the request, which whoever calls this shows to be admitted.
    pub(crate) async fn send(&self, call: &Call<'_>, pass: Pass<'_>) -> Result<Response<Source>, UpstreamError> {
        match pass {
            Pass::Permitted(permit) => debug_assert!(permit.decision().is_allow()),
            #[cfg(feature = "bench-open")]
            Pass::Unasked => {}
        }
        let name = self.model.and_then(|model| model.upstream.as_deref()).unwrap_or(&self.candidate.model);
        if self.provider.dialect == Dialect::Echo {
            return Ok(echo::answer(form(call), &self.candidate.model, &call.body));
        }
        let request = self.request(call, name).inspect_err(|cause| {
            tracing::error!(provider = &*self.candidate.provider, %cause, "a request cannot be written");
        });
        let request = request.map_err(|_| UpstreamError::Unreachable)?;
        call.live.secured.upstream.send(&self.candidate.provider, request).await
    }

    fn request(&self, call: &Call<'_>, name: &str) -> Result<Request<Full<Bytes>>, http::Error> {
        let base = self.provider.base_url.clone().unwrap_or_default();
        let path = call.asked.route().path_for(name);
        let uri = join(&base, self.provider.dialect, &path, call.query.as_deref())?;
        let body = call.asked.body_for(&call.body, name, call.count);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.provider.passing.select(&call.headers);
        let own = call.own_key.as_ref().map(|own| &own.key);
        if let Some(key) = own.or_else(|| call.live.key(&self.candidate.provider)) {
            let (name, value) = credential(self.provider.dialect, key);
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }
}

fn credential(dialect: Dialect, key: &ProviderKey) -> (HeaderName, HeaderValue) {
    let name = match dialect {
        Dialect::OpenAi | Dialect::Echo => AUTHORIZATION,
        Dialect::Anthropic => HeaderName::from_static("x-api-key"),
        Dialect::Azure => HeaderName::from_static("api-key"),
        Dialect::Gemini => HeaderName::from_static("x-goog-api-key"),
    };
    (name, key.header().clone())
}

/// The URL of an endpoint. Base URLs are written as each provider's own clients want them: OpenAI's with `/v1`.
fn join(base: &Uri, dialect: Dialect, path: &str, query: Option<&str>) -> Result<Uri, http::Error> {
    let path = match dialect {
        Dialect::OpenAi => path.strip_prefix("/v1").unwrap_or(path),
        Dialect::Anthropic | Dialect::Azure | Dialect::Gemini | Dialect::Echo => path,
    };
    let base_path = base.path().trim_end_matches('/');
    let path_and_query = match query {
        Some(query) => format!("{base_path}{path}?{query}"),
        None => format!("{base_path}{path}"),
    };
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// Whether another provider may do better: this one is busy, broken, or does not know the gateway.
fn is_worth_another(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 408 | 429 | 500 | 502 | 503 | 504 | 529)
}

fn refusal(error: UpstreamError) -> Refusal {
    Refusal::Upstream(match error {
        UpstreamError::Unreachable | UpstreamError::Broken => Upstream::Unreachable,
        UpstreamError::Late => Upstream::Timeout,
    })
}

fn form(call: &Call<'_>) -> echo::Form {
    match call.asked.endpoint() {
        Endpoint::Completions => echo::Form::Completions,
        Endpoint::Responses => echo::Form::Responses,
        Endpoint::Embeddings | Endpoint::EmbedContent => echo::Form::Embeddings,
        Endpoint::ImagesGenerations | Endpoint::ImagesEdits | Endpoint::ImagesVariations => echo::Form::Images,
        Endpoint::AudioSpeech => echo::Form::Speech,
        Endpoint::AudioTranscriptions | Endpoint::AudioTranslations => echo::Form::Transcription,
        Endpoint::Messages => echo::Form::Messages,
        Endpoint::CountTokens | Endpoint::GeminiCountTokens => echo::Form::CountTokens,
        Endpoint::GenerateContent => echo::Form::Gemini { stream: false, events: false },
        Endpoint::StreamGenerateContent => {
            let events = call.query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
            echo::Form::Gemini { stream: true, events }
        }
        Endpoint::ChatCompletions | Endpoint::Probe | Endpoint::ModelsList | Endpoint::ModelsRead => echo::Form::Chat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_joined_as_each_dialect_writes_them() {
        let joined = |base: &str, dialect, path: &str, query: Option<&str>| {
            join(&base.parse().unwrap(), dialect, path, query).unwrap().to_string()
        };
        let chat = "/v1/chat/completions";
        assert_eq!(joined("https://a.com/v1", Dialect::OpenAi, chat, None), "https://a.com/v1/chat/completions");
        assert_eq!(joined("https://a.com/x/v1/", Dialect::OpenAi, chat, None), "https://a.com/x/v1/chat/completions");
        assert_eq!(
            joined("https://a.com", Dialect::Anthropic, "/v1/messages", Some("beta=true")),
            "https://a.com/v1/messages?beta=true"
        );
    }
}
