//! What a client hears when nothing was decided, in its own dialect.

use bytes::Bytes;
use cedargate_http::reply::{Caller, Invalid, Refusal, RequestId, Unavailable, Upstream, reply};
use http::{Method, Request, Response};
use serde_json::{Value, json};

fn caller(method: &str, path: &str, headers: &[(&str, &str)]) -> Caller {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Caller::of(&request.body(()).unwrap().into_parts().0, RequestId::new("req_7").unwrap())
}

fn refuse(refusal: Refusal, caller: &Caller) -> (Response<Bytes>, Value) {
    let response = reply(&refusal.into(), caller);
    let body = serde_json::from_slice(response.body()).unwrap();
    (response, body)
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// All refusals with their status and code.
fn all() -> Vec<(Refusal, u16, &'static str)> {
    vec![
        (Refusal::TokenMissing, 401, "token_missing"),
        (Refusal::TokenMalformed, 401, "token_malformed"),
        (Refusal::TokenUnknown, 401, "token_unknown"),
        (Refusal::TokenConflict, 401, "token_conflict"),
        (Refusal::RouteUnknown, 404, "route_unknown"),
        (Refusal::MethodNotAllowed { allow: Method::POST }, 405, "method_not_allowed"),
        (Refusal::RequestInvalid(Invalid::ModelMissing), 400, "request_invalid"),
        (Refusal::RequestTimeout, 408, "request_timeout"),
        (Refusal::BodyTooLarge, 413, "body_too_large"),
        (Refusal::MediaTypeUnsupported, 415, "media_type_unsupported"),
        (Refusal::ModelUnknown, 404, "model_not_found"),
        (Refusal::Unavailable(Unavailable::TokenStore), 503, "store_unavailable"),
        (Refusal::Unavailable(Unavailable::Counters), 503, "counters_unavailable"),
        (Refusal::Unavailable(Unavailable::Principal), 503, "policy_unavailable"),
        (Refusal::Unavailable(Unavailable::Overloaded), 503, "overloaded"),
        (Refusal::Unavailable(Unavailable::ShuttingDown), 503, "shutting_down"),
        (Refusal::Upstream(Upstream::Unreachable), 502, "upstream_unreachable"),
        (Refusal::Upstream(Upstream::Timeout), 504, "upstream_timeout"),
        (Refusal::Upstream(Upstream::Malformed), 502, "upstream_malformed"),
    ]
}

#[test]
fn openais_form_says_type_param_and_code() {
    let caller = caller("POST", "/v1/chat/completions", &[]);
    for (refusal, status, code) in all() {
        let (response, body) = refuse(refusal.clone(), &caller);
        assert_eq!((response.status().as_u16(), &body["error"]["code"]), (status, &json!(code)));
        assert_eq!(body["error"]["message"], json!(refusal.to_string()));
        assert_eq!(body["error"].as_object().unwrap().len(), 4);
        assert_eq!(header(&response, "x-request-id"), Some("req_7"));
        assert_eq!(header(&response, "x-cedargate-code"), Some(code));
        assert_eq!(header(&response, "content-type"), Some("application/json"));
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
    }
    let (_, body) = refuse(Refusal::TokenUnknown, &caller);
    let message = "the gateway does not know this token";
    let error = json!({"message": message, "type": "authentication_error", "param": null, "code": "token_unknown"});
    assert_eq!(body, json!({"error": error}));
    let (_, body) = refuse(Refusal::RequestInvalid(Invalid::Field("stream")), &caller);
    assert_eq!((&body["error"]["type"], &body["error"]["param"]), (&json!("invalid_request_error"), &json!("stream")));
}

#[test]
fn azures_form_is_openais() {
    let caller = caller("POST", "/openai/deployments/gpt-4o/chat/completions", &[]);
    let (_, body) = refuse(Refusal::ModelUnknown, &caller);
    assert_eq!((&body["error"]["code"], &body["error"]["param"]), (&json!("model_not_found"), &json!("model")));
}

#[test]
fn anthropics_form_says_type_and_id() {
    let caller = caller("POST", "/v1/messages", &[]);
    for (refusal, status, r#type) in [
        (Refusal::TokenUnknown, 401, "authentication_error"),
        (Refusal::RequestInvalid(Invalid::ModelMissing), 400, "invalid_request_error"),
        (Refusal::ModelUnknown, 404, "not_found_error"),
        (Refusal::BodyTooLarge, 413, "request_too_large"),
        (Refusal::MediaTypeUnsupported, 415, "invalid_request_error"),
        (Refusal::Unavailable(Unavailable::TokenStore), 503, "overloaded_error"),
        (Refusal::Upstream(Upstream::Unreachable), 502, "api_error"),
        (Refusal::Upstream(Upstream::Timeout), 504, "timeout_error"),
    ] {
        let (response, body) = refuse(refusal.clone(), &caller);
        let error = json!({"type": r#type, "message": refusal.to_string()});
        assert_eq!(body, json!({"type": "error", "error": error, "request_id": "req_7"}));
        assert_eq!((response.status().as_u16(), header(&response, "request-id")), (status, Some("req_7")));
        assert_eq!(header(&response, "x-request-id"), None);
    }
}

#[test]
fn geminis_form_says_status() {
    let caller = caller("POST", "/v1beta/models/g:generateContent", &[]);
    for (refusal, code, status) in [
        (Refusal::TokenMissing, 401, "UNAUTHENTICATED"),
        (Refusal::RequestInvalid(Invalid::ModelMissing), 400, "INVALID_ARGUMENT"),
        (Refusal::ModelUnknown, 404, "NOT_FOUND"),
        (Refusal::Unavailable(Unavailable::Overloaded), 503, "UNAVAILABLE"),
        (Refusal::Upstream(Upstream::Timeout), 504, "DEADLINE_EXCEEDED"),
    ] {
        let (response, body) = refuse(refusal.clone(), &caller);
        assert_eq!(body, json!({"error": {"code": code, "message": refusal.to_string(), "status": status}}));
        assert_eq!(response.status().as_u16(), code);
    }
}

#[test]
fn identity_is_challenged_and_nothing_else() {
    let caller = caller("POST", "/v1/chat/completions", &[]);
    for (refusal, status, _) in all() {
        let challenge = header(&refuse(refusal.clone(), &caller).0, "www-authenticate").map(str::to_owned);
        let expected = match refusal {
            Refusal::TokenMissing => Some("Bearer realm=\"gateway\"".to_owned()),
            _ if status == 401 => Some("Bearer realm=\"gateway\", error=\"invalid_token\"".to_owned()),
            _ => None,
        };
        assert_eq!(challenge, expected, "{refusal:?}");
    }
}

#[test]
fn an_outage_is_worth_another_try_and_a_mistake_is_not() {
    let caller = caller("POST", "/v1/chat/completions", &[]);
    for (refusal, status, _) in all() {
        let (response, _) = refuse(refusal.clone(), &caller);
        let seen = (header(&response, "retry-after"), header(&response, "x-should-retry"));
        let expected = if status == 503 { (Some("1"), Some("true")) } else { (None, None) };
        assert_eq!(seen, expected, "{refusal:?}");
    }
    let (response, _) = refuse(Refusal::MethodNotAllowed { allow: Method::GET }, &caller);
    assert_eq!(header(&response, "allow"), Some("GET"));
}

#[test]
fn a_head_has_no_body() {
    for path in ["/v1/models", "/v1/messages", "/nowhere"] {
        let response = reply(&Refusal::RouteUnknown.into(), &caller("HEAD", path, &[]));
        assert!(response.body().is_empty() && response.status() == 404);
    }
}

#[test]
fn an_unknown_route_is_refused_in_the_dialect_that_it_looks_like() {
    for (path, headers, shape) in [
        ("/v1/files", &[][..], "/error/code"),
        ("/nowhere", &[], "/error/code"),
        ("/nowhere", &[("anthropic-version", "2023-06-01")], "/request_id"),
        ("/v1/messages/batches", &[], "/request_id"),
        ("/v1beta/files", &[], "/error/status"),
        ("/openai/assistants", &[], "/error/param"),
    ] {
        let (_, body) = refuse(Refusal::RouteUnknown, &caller("POST", path, headers));
        assert!(body.pointer(shape).is_some(), "{path}: {body}");
    }
}

#[test]
fn what_clients_hear_speaks_of_the_gateway_and_of_no_policy() {
    for (refusal, status, _) in all() {
        let message = refusal.to_string();
        assert!(!message.contains("polic") && !message.contains("scope") && !message.contains("allow"), "{message}");
        if status == 401 {
            assert!(message.contains("gateway"), "{message}");
        }
    }
}

#[test]
fn ids_of_requests_differ_and_fit_into_headers() {
    let ids: std::collections::HashSet<_> = (0..1_000).map(|_| RequestId::fresh()).collect();
    assert_eq!(ids.len(), 1_000);
    for id in ids {
        assert_eq!(RequestId::new(id.as_str()), Some(id.clone()));
        assert_eq!(id.header().to_str().unwrap(), id.as_str());
    }
    for text in ["", "a b", "a\n", "a\"", "\u{e9}", &"a".repeat(129)] {
        assert_eq!(RequestId::new(text), None);
    }
}
