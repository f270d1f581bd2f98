//! What a provider sees of a client's headers: no credential, no identity, nothing of the way.

use cedargate_http::hygiene::strip;
use http::{HeaderMap, HeaderName, HeaderValue};

fn left(headers: &[(&str, &str)]) -> Vec<String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    strip(&mut map);
    map.keys().map(ToString::to_string).collect()
}

#[test]
fn private_headers_do_not_pass() {
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "X-API-Key",
        "x_api_key",
        "proxy-authorization",
        "cookie",
        "x-cedargate-team",
        "x-cedargate-token-id",
        "X-CedarGate-Anything",
        "x_cedargate_team",
        "x-consumer-id",
        "x-consumer-username",
        "x-consumer-groups",
        "x-credential-identifier",
        "x-authenticated-userid",
        "x-authenticated-scope",
        "x-auth-request-user",
        "x-auth-request-email",
        "x-auth-request-groups",
        "x-auth-token",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-forwarded-access-token",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x_forwarded_user",
        "forwarded",
        "x-real-ip",
        "via",
        "remote-user",
        "x-remote-user",
        "x-webauth-user",
        "x-user-id",
        "x-goog-authenticated-user-email",
        "x-amzn-oidc-data",
        "x-ms-client-principal-name",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
        "sec-websocket-protocol",
    ] {
        assert_eq!(left(&[(name, "x"), ("accept", "*/*"), (name, "y")]), ["accept"], "{name}");
    }
}

#[test]
fn what_connection_names_does_not_pass() {
    let headers = [
        ("connection", "close, X-Trace"),
        ("connection", " x-hop ,,x y, x-consumer-id"),
        ("x-trace", "1"),
        ("x-hop", "1"),
        ("x-consumer-id", "admin"),
        ("close", "1"),
        ("content-type", "application/json"),
    ];
    assert_eq!(left(&headers), ["content-type"]);
}

#[test]
fn what_the_provider_needs_passes() {
    let needed = [
        "accept",
        "content-type",
        "user-agent",
        "anthropic-version",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
        "openai-organization",
        "openai-beta",
        "x-stainless-lang",
        "x-stainless-retry-count",
        "x-app",
        "traceparent",
        "idempotency-key",
        "x-goog-api-client",
        "api-version",
    ];
    let headers: Vec<_> = needed.iter().map(|name| (*name, "x")).collect();
    assert_eq!(left(&headers).len(), needed.len());
}
