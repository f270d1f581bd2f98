//! Headers of a provider's reply that a client gets.

use cedargate_http::reply::Caller;
use http::header::{CONNECTION, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName};

/// The id that the provider gave the request, under a name of its own.
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

const REQUEST_IDS: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];

/// What ends at this hop, speaks of the provider's host, or names the gateway's account there.
const DROPPED: [HeaderName; 15] = [
    CONNECTION,
    TRANSFER_ENCODING,
    TRAILER,
    UPGRADE,
    SET_COOKIE,
    SERVER,
    STRICT_TRANSPORT_SECURITY,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("te"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("anthropic-organization-id"),
];

/// Leaves what a client may see, and adds the id of the request.
pub(crate) fn clean(headers: &mut HeaderMap, caller: &Caller) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&DROPPED) {
        headers.remove(name);
    }
    for name in REQUEST_IDS {
        if let Some(id) = headers.remove(name) {
            headers.insert(UPSTREAM_REQUEST_ID, id);
        }
    }
    headers.insert(caller.request_id_header(), caller.request_id().header());
}
