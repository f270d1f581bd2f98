//! Who is answered, and how.

use http::request::Parts;
use http::{HeaderName, Method};

use super::request_id::RequestId;
use crate::route::{Dialect, Endpoint};

/// What an answer has to know of the request. It can be had of every request, whether or not its route exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    dialect: Dialect,
    /// Whether an answer has a body.
    head: bool,
    /// Whether one model was asked for by its id, so that a hidden one is not there.
    discovers: bool,
    request_id: RequestId,
}

impl Caller {
    /// The caller of a request, by an id that the host chose.
    #[must_use]
    pub fn of(parts: &Parts, request_id: RequestId) -> Self {
        let path = parts.uri.path();
        Self {
            dialect: Dialect::of(path, &parts.headers),
            head: parts.method == Method::HEAD,
            discovers: Endpoint::is_discovery(&parts.method, path),
            request_id,
        }
    }

    /// The dialect in which to answer.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The id of the request.
    #[must_use]
    pub const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The header that carries the request's id: `request-id` for Anthropic's clients, else `x-request-id`.
    #[must_use]
    pub const fn request_id_header(&self) -> HeaderName {
        match self.dialect {
            Dialect::Anthropic => HeaderName::from_static("request-id"),
            Dialect::OpenAi | Dialect::Azure | Dialect::Gemini => HeaderName::from_static("x-request-id"),
        }
    }

    pub(super) const fn is_head(&self) -> bool {
        self.head
    }

    pub(super) const fn discovers(&self) -> bool {
        self.discovers
    }
}
