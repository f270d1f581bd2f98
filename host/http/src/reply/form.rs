//! The forms that errors have in each dialect.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::caller::Caller;
use super::wire::Wire;
use crate::route::Dialect;

/// The header that carries the stable code, which not every dialect has a place for.
const CODE: HeaderName = HeaderName::from_static("x-cedargate-code");

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

pub(super) fn response(wire: &Wire, caller: &Caller) -> Response<Bytes> {
    let body = if caller.is_head() { Bytes::new() } else { body(wire, caller) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(wire.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    headers(response.headers_mut(), wire, caller);
    response
}

fn headers(headers: &mut HeaderMap, wire: &Wire, caller: &Caller) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // A denial is true of this moment alone.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(caller.request_id_header(), caller.request_id().header());
    if let Ok(code) = HeaderValue::from_str(&wire.code) {
        headers.insert(CODE, code);
    }
    if wire.status == 401 {
        // RFC 6750 names no error where nothing was sent.
        let challenge = match &*wire.code {
            "token_missing" => "Bearer realm=\"gateway\"",
            _ => "Bearer realm=\"gateway\", error=\"invalid_token\"",
        };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(allow) = wire.allow.as_ref().and_then(|method| HeaderValue::from_str(method.as_str()).ok()) {
        headers.insert(ALLOW, allow);
    }
    if let Some(seconds) = wire.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(should_retry) = wire.should_retry {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(if should_retry { "true" } else { "false" }));
    }
}

fn body(wire: &Wire, caller: &Caller) -> Bytes {
    let text = match caller.dialect() {
        Dialect::OpenAi | Dialect::Azure => serde_json::to_vec(&OpenAi {
            error: OpenAiError {
                message: &wire.message,
                r#type: openai_type(wire),
                param: wire.param,
                code: &wire.code,
            },
        }),
        Dialect::Anthropic => serde_json::to_vec(&Anthropic {
            r#type: "error",
            error: AnthropicError { r#type: anthropic_type(wire.status), message: &wire.message },
            request_id: caller.request_id().as_str(),
        }),
        Dialect::Gemini => serde_json::to_vec(&Gemini {
            error: GeminiError { code: wire.status, message: &wire.message, status: gemini_status(wire.status) },
        }),
    };
    // Texts and numbers can always be written.
    text.map(Bytes::from).unwrap_or_default()
}

#[derive(Serialize)]
struct OpenAi<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

fn openai_type(wire: &Wire) -> &'static str {
    match wire.status {
        401 => "authentication_error",
        403 => "permission_error",
        429 if &*wire.code == "insufficient_quota" => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

#[derive(Serialize)]
struct Anthropic<'a> {
    r#type: &'static str,
    error: AnthropicError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'static str,
    message: &'a str,
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[derive(Serialize)]
struct Gemini<'a> {
    error: GeminiError<'a>,
}

#[derive(Serialize)]
struct GeminiError<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
}

fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 => "UNIMPLEMENTED",
        429 => "RESOURCE_EXHAUSTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        500.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}
