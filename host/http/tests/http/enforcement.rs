//! The layer admits or denies before the service behind it sees a request.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::deciding::{PDP, of_models, token};
use bytes::Bytes;
use cedargate::Principal;
use cedargate_http::credential::Credential;
use cedargate_http::extract::Limits;
use cedargate_http::layer::{Admitted, AuthorizeLayer, Peer, Settings};
use cedargate_http::reply::{Refusal, Unavailable};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

/// What the service behind saw: its headers' names, its body, and where it may go.
type Seen = (Vec<String>, String, Vec<String>);

fn authenticate(credential: &Credential) -> Result<Option<Principal>, Refusal> {
    match credential.expose() {
        "anyone" => Ok(Some(token(|_| {}))),
        "mini" => Ok(Some(of_models(&["gpt-4o-mini"]))),
        "home" => Ok(Some(token(|profile| profile.bindings.networks = Some(vec!["10.0.0.0/8".to_owned()])))),
        "outage" => Err(Refusal::Unavailable(Unavailable::TokenStore)),
        _ => Ok(None),
    }
}

/// Sends a request through the layer, and says what came back and what the service behind saw.
async fn send<B>(request: Request<B>) -> (Response<Bytes>, Option<Seen>)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let seen = Arc::new(std::sync::Mutex::new(None));
    let saw = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Full<Bytes>>| {
        let saw = Arc::clone(&saw);
        async move {
            let admitted = request.extensions().get::<Admitted>().unwrap().clone();
            let may = admitted.admission().candidates().map(|(candidate, permit)| {
                assert!(permit.decision().is_allow());
                format!("{}/{}", candidate.provider, candidate.model)
            });
            let headers = request.headers().keys().map(ToString::to_string).collect();
            let may = may.collect();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            *saw.lock().unwrap() = Some((headers, String::from_utf8(body.to_vec()).unwrap(), may));
            Ok::<_, Infallible>(Response::new(Bytes::from_static(b"served")))
        }
    });
    let settings = Settings { limits: Limits { json_bytes: 1_000, ..Limits::default() }, ..Settings::default() };
    let layer = AuthorizeLayer::new(PDP.clone(), authenticate, Arc::new(crate::asking::catalogue()), settings);
    let response = layer.layer(service).oneshot(request).await.unwrap();
    let seen = seen.lock().unwrap().take();
    (response, seen)
}

fn chat(secret: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method("POST")
        .uri("/v1/chat/completions")
        .header("authorization", format!("Bearer {secret}"))
        .header("content-type", "application/json")
        .header("x-consumer-id", "admin")
        .header("openai-organization", "org")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

fn code(response: &Response<Bytes>) -> (u16, String) {
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_admitted_is_served_without_credentials() {
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    let (response, seen) = send(chat("anyone", body)).await;
    assert_eq!(response.body(), "served");
    let (mut headers, seen_body, may) = seen.unwrap();
    headers.sort();
    assert_eq!(headers, ["content-type", "openai-organization"]);
    assert_eq!(seen_body, body);
    assert_eq!(may, ["openai/gpt-4o", "azure/gpt-4o"]);
}

#[tokio::test]
async fn what_is_not_admitted_is_not_seen() {
    let body = r#"{"model":"gpt-4o"}"#;
    let without = |name: &str| {
        let mut request = chat("anyone", body);
        request.headers_mut().remove(name);
        request
    };
    let at = |uri: &str| {
        let mut request = chat("anyone", body);
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    for (request, status, expected) in [
        (chat("mini", body), 403, "model_not_allowed"),
        (chat("nobody", body), 401, "token_unknown"),
        (chat("outage", body), 503, "store_unavailable"),
        (chat("", body), 401, "token_malformed"),
        (without("authorization"), 401, "token_missing"),
        (without("content-type"), 415, "media_type_unsupported"),
        (chat("anyone", ""), 400, "request_invalid"),
        (chat("anyone", r#"{"model":"gpt-4o","model":"gpt-4o-mini"}"#), 400, "request_invalid"),
        (chat("anyone", &format!(r#"{{"model":"gpt-4o","a":"{}"}}"#, "x".repeat(1_000))), 413, "body_too_large"),
        (at("/v1/files"), 404, "route_unknown"),
        (at("/v1/models"), 405, "method_not_allowed"),
        (at("/v1/chat/completions?key=a"), 401, "token_malformed"),
        (at("/v1/chat/completions?model=o1"), 400, "request_invalid"),
        (chat("home", body), 403, "network_not_allowed"),
    ] {
        let (response, seen) = send(request).await;
        assert_eq!(code(&response), (status, expected.to_owned()));
        assert!(seen.is_none(), "{expected}");
        assert!(response.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn the_peers_address_is_the_clients() {
    let mut request = chat("home", r#"{"model":"gpt-4o"}"#);
    request.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
    request.extensions_mut().insert(Peer("10.0.0.7".parse().unwrap()));
    assert!(send(request).await.1.is_some());
    let mut request = chat("home", r#"{"model":"gpt-4o"}"#);
    request.headers_mut().insert("x-forwarded-for", "10.0.0.7".parse().unwrap());
    request.extensions_mut().insert(Peer("192.0.2.1".parse().unwrap()));
    assert_eq!(code(&send(request).await.0).0, 403);
}

#[tokio::test]
async fn a_probe_is_answered_without_credentials() {
    let probe = Request::head("/").body(Full::new(Bytes::new())).unwrap();
    let (response, seen) = send(probe).await;
    assert!(response.status() == 200 && response.body().is_empty() && seen.is_none());
}

#[tokio::test]
async fn who_is_not_known_sends_no_body() {
    let polled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polled);
    let frames = std::iter::from_fn(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Some(Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(&[b' '; 100]))))
    });
    let endless = |secret: &str| {
        let (parts, _) = chat(secret, "").into_parts();
        Request::from_parts(parts, frames_of(frames.clone()))
    };
    assert_eq!(code(&send(endless("nobody")).await.0).0, 401);
    assert_eq!(polled.load(Ordering::Relaxed), 0);
    assert_eq!(code(&send(endless("anyone")).await.0), (413, "body_too_large".to_owned()));
    assert!(polled.load(Ordering::Relaxed) < 20);
}

fn frames_of<I>(frames: I) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static
where
    I: Iterator<Item = Result<http_body::Frame<Bytes>, Infallible>> + Send + Unpin + 'static,
{
    StreamBody::new(Frames(frames))
}

/// An iterator as a stream that is always ready.
struct Frames<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Frames<I> {
    type Item = I::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<I::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn a_denial_is_plain_json_in_the_callers_dialect() {
    let mut request = chat("mini", r#"{"model":"claude-sonnet-4-5","stream":true}"#);
    *request.uri_mut() = "/v1/messages?beta=true".parse().unwrap();
    let (response, _) = send(request).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    let id = response.headers()["request-id"].to_str().unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!((&body["error"]["type"], &body["request_id"]), (&json!("permission_error"), &json!(id)));
}

#[tokio::test]
async fn it_fits_into_axum() {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::post;

    let layer =
        AuthorizeLayer::new(PDP.clone(), authenticate, Arc::new(crate::asking::catalogue()), Settings::default());
    let served = |Extension(admitted): Extension<Admitted>, body: String| async move {
        format!("{} {body}", admitted.asked().model().unwrap())
    };
    let mut router: Router = Router::new().route("/v1/chat/completions", post(served)).layer(layer);
    let request = chat("anyone", r#"{"model":"gpt-4o"}"#).map(Body::new);
    let response = router.call(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"gpt-4o {"model":"gpt-4o"}"#);
    let response = router.call(chat("mini", r#"{"model":"gpt-4o"}"#).map(Body::new)).await.unwrap();
    assert_eq!(response.status(), 403);
}
