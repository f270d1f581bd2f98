//! Which of a client's headers no provider may see.
//!
//! [`strip`] takes these families away, whatever the case of their letters and with `_` read as `-`, since some
//! servers read both alike:
//!
//! | family | headers |
//! |---|---|
//! | credentials | `authorization`, `x-api-key`, `api-key`, `x-goog-api-key`, `proxy-authorization`, `cookie`, and others by which keys are sent |
//! | identity | `x-cedargate-*`, `x-consumer-*`, `x-credential-*`, `x-auth-*`, `x-authenticated-*`, `x-forwarded-user`, `-email`, `-groups`, … |
//! | client address | `forwarded`, `x-forwarded-*`, `x-real-ip`, `x-client-ip`, `via`, … |
//! | overrides | `x-http-method-override`, `x-original-url`, `x-rewrite-url`, … |
//! | hop by hop | `connection` and all it names, `keep-alive`, `te`, `trailer`, `transfer-encoding`, `upgrade`, … |
//!
//! and every header, whatever it is called, whose value holds the credential that was presented, or a token of this
//! gateway. What is left may still say to whom a request is billed, or where a router behind a provider sends it:
//! whoever forwards a request lets only what is on a list pass, [`Passing`].
//!
//! A host sets headers of its own behind this, never before: else a client could name them in `connection` and so
//! have them taken away.

pub(crate) mod leak;
mod passing;

use std::borrow::Cow;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

pub use passing::{NotPassed, Passing};

/// The header in which a client may claim a team. It is the only identity header that is read at all: a claim can
/// deny, since it must be the token's own team, and never admits.
pub const TEAM: HeaderName = HeaderName::from_static("x-cedargate-team");

const CREDENTIALS: &[&str] = &[
    "api-key",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "sec-websocket-protocol",
    "x-access-token",
    "x-api-key",
    "x-goog-api-key",
    "x-goog-iam-authorization-token",
];

const IDENTITY_PREFIXES: &[&str] = &[
    "remote-",
    "tailscale-",
    "x-amzn-oidc-",
    "x-auth-",
    "x-authenticated-",
    "x-authentik-",
    "x-cedargate-",
    "x-consumer-",
    "x-credential-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-ms-client-principal",
    "x-pomerium-",
    "x-remote-",
    "x-user-",
];

const IDENTITY: &[&str] = &[
    "cf-connecting-ip",
    "client-ip",
    "forwarded",
    "ssl-client-cert",
    "true-client-ip",
    "via",
    "x-anonymous-consumer",
    "x-client-cert",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-real-ip",
    "x-user",
    "x-webauth-user",
];

const OVERRIDES: &[&str] = &[
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

const HOP_BY_HOP: &[&str] = &[
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Takes away what no provider may see. `presented` is the secret of the credential that the request presents, so that
/// no header carries it on. `host` and `content-length` are the host's to set anew.
pub fn strip(headers: &mut HeaderMap, presented: &str) {
    let named = named_in_connection(headers);
    let mut doomed: Vec<(HeaderName, &'static str)> = Vec::new();
    for name in headers.keys() {
        if is_private(name.as_str()) {
            doomed.push((name.clone(), "it is for the gateway alone"));
        } else if named.contains(name) {
            doomed.push((name.clone(), "`connection` names it"));
        } else if headers.get_all(name).iter().any(|value| leak::holds(value.as_bytes(), presented)) {
            doomed.push((name.clone(), "it holds a credential"));
        }
    }
    for (name, cause) in doomed {
        passing::tell(&name, cause);
        headers.remove(&name);
    }
}

/// Whether a header belongs to one of the families, by its name in lower case.
#[must_use]
pub fn is_private(name: &str) -> bool {
    let name: Cow<'_, str> = if name.contains('_') { name.replace('_', "-").into() } else { name.into() };
    let name = name.as_ref();
    let exact = [CREDENTIALS, IDENTITY, OVERRIDES, HOP_BY_HOP];
    exact.iter().any(|family| family.contains(&name)) || IDENTITY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What `connection` names.
pub(crate) fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}
