//! What a provider sees of a client's headers: no credential, no identity, nothing of the way.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cedargate_http::hygiene::{NotPassed, Passing, strip};
use cedargate_http::route::Dialect;
use http::{HeaderMap, HeaderName, HeaderValue};

fn left(headers: &[(&str, &str)]) -> Vec<String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    strip(&mut map, "sk-presented-0123456789");
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
fn what_holds_the_credential_does_not_pass() {
    let presented = "sk-presented-0123456789";
    let own = format!("kt_live_{}", "0aB".repeat(20).split_at(59).0);
    for value in [
        presented.to_owned(),
        format!("a, {presented}, b"),
        format!("session={presented}; x=y"),
        presented.replace('-', "%2D"),
        format!("Basic {}", BASE64_STANDARD.encode(format!("user:{presented}"))),
        BASE64_STANDARD.encode(format!("{presented}:")),
        own.clone(),
        format!("token {own}"),
        BASE64_STANDARD.encode(own),
    ] {
        for name in ["apikey", "x-token", "user-agent", "x-stainless-lang", "idempotency-key", "accept"] {
            let headers = [(name, "x"), ("content-type", "application/json"), (name, value.as_str())];
            assert_eq!(left(&headers), ["content-type"], "{name}: {value}");
        }
    }
    assert_eq!(left(&[("user-agent", "sk-presented"), ("accept", "kt_live_KEY")]).len(), 2);
}

#[test]
fn what_clients_send_and_providers_need_is_on_the_lists() {
    for (dialect, names) in [
        (Dialect::OpenAi, &["openai-beta", "x-client-request-id"][..]),
        (Dialect::Azure, &["openai-beta", "x-ms-client-request-id"]),
        (
            Dialect::Anthropic,
            &["anthropic-version", "anthropic-beta", "anthropic-dangerous-direct-browser-access", "x-app"],
        ),
        (Dialect::Gemini, &["x-goog-api-client", "x-server-timeout"]),
    ] {
        let passing = Passing::of(&[dialect]);
        let common = ["accept", "content-type", "user-agent", "idempotency-key", "traceparent", "x-stainless-os"];
        for name in names.iter().chain(&common) {
            assert!(passing.passes(name), "{name}");
        }
        for name in [
            "openai-organization",
            "openai-project",
            "x-goog-user-project",
            "x-goog-request-params",
            "x-ms-oai-image-generation-deployment",
            "helicone-target-url",
            "x-portkey-provider",
            "cf-aig-authorization",
            "x-litellm-api-key",
            "http-referer",
            "x-title",
            "apikey",
            "x-token",
            "x-anything",
            "x-stainless",
        ] {
            assert!(!passing.passes(name), "{name}");
        }
    }
}

#[test]
fn a_list_is_longer_where_somebody_says_so() {
    let mut passing = Passing::of(&[Dialect::OpenAi]);
    passing.add("openai-project").unwrap();
    passing.add("x-trace-*").unwrap();
    let mut headers = HeaderMap::new();
    for name in ["openai-project", "openai-organization", "x-trace-id", "x-trace", "accept"] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        headers.append(HeaderName::from_static(name), HeaderValue::from_static("2"));
    }
    let passed = passing.select(&headers);
    let names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
    assert_eq!((names.len(), passed.len()), (3, 6), "{names:?}");
    assert!(
        passed.contains_key("openai-project") && passed.contains_key("x-trace-id") && passed.contains_key("accept")
    );
    for (name, cause) in [
        ("", NotPassed::Name),
        ("*", NotPassed::Name),
        ("X-Upper", NotPassed::Name),
        ("a b", NotPassed::Name),
        ("x-*-y", NotPassed::Name),
        ("authorization", NotPassed::Private),
        ("cookie", NotPassed::Private),
        ("x-forwarded-for", NotPassed::Private),
        ("x-forwarded-*", NotPassed::Private),
        ("connection", NotPassed::Private),
        ("host", NotPassed::Own),
        ("accept-encoding", NotPassed::Own),
    ] {
        assert_eq!(passing.add(name), Err(cause), "{name}");
    }
}
