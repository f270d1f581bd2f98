//! Health and metrics, on a listener of their own.

use cedargate_tokens::Availability;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::body::ReplyBody;
use crate::gateway::Gateway;

/// The type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Gateway {
    /// Answers `/healthz`, `/readyz` and `/metrics`.
    pub(crate) fn administer<B>(&self, request: &Request<B>) -> Response<ReplyBody> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "this takes GET\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/metrics" => {
                let mut response = Response::new(ReplyBody::full(self.metrics_text()));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
                response
            }
            _ => text(StatusCode::NOT_FOUND, "there is /healthz, /readyz and /metrics\n"),
        }
    }

    fn ready(&self) -> Response<ReplyBody> {
        let why = match self.directory.availability() {
            Availability::Unreadable => "the token store cannot be read\n",
            Availability::Replaced => {
                "the token store was replaced by an older one, or another: put it right with `kt store restore`, or accept it with `--accept-store`\n"
            }
            Availability::Available if self.is_draining() => "shutting down\n",
            Availability::Available => return text(StatusCode::OK, "ready\n"),
        };
        text(StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
