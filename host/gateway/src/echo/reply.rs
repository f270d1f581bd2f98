//! Answers as HTTP responses.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::Value;

use crate::body::Source;

/// A moment for fields that want one: the answer does not depend on the clock.
pub(super) const CREATED: u64 = 1_735_689_600;

/// One JSON value.
pub(super) fn json(value: &Value) -> Response<Source> {
    whole("application/json", value.to_string().into())
}

/// Bytes of this type.
pub(super) fn whole(content_type: &'static str, bytes: Bytes) -> Response<Source> {
    with_type(content_type, vec![bytes])
}

/// A stream of these parts.
pub(super) fn stream(parts: impl IntoIterator<Item = String>) -> Response<Source> {
    with_type("text/event-stream; charset=utf-8", parts.into_iter().map(Bytes::from).collect())
}

fn with_type(content_type: &'static str, parts: Vec<Bytes>) -> Response<Source> {
    let mut response = Response::new(Source::parts(parts));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An event without a name, as OpenAI sends them.
pub(super) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// An event with a name, as Anthropic sends them. Its data says its name again as `type`.
pub(super) fn event(value: &Value) -> String {
    let name = value.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n")
}
