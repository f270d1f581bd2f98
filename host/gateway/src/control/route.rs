//! The paths of the control plane.

use cedargate_http::reply::Refusal;
use http::Method;

const TOKENS: &str = "/v1/tokens";

/// Bytes of a token's id.
const ID_BYTES_MAX: usize = 256;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `GET /v1/tokens`.
    List,
    /// `POST /v1/tokens`.
    Create,
    /// `GET /v1/tokens/{id}`.
    Inspect(String),
    /// `PATCH /v1/tokens/{id}`.
    Edit(String),
    /// `POST /v1/tokens/{id}/rotate`.
    Rotate(String),
    /// `POST /v1/tokens/{id}/revoke`, and `DELETE /v1/tokens/{id}`.
    Revoke(String),
    /// `POST /v1/tokens/{id}/disable`.
    Disable(String),
    /// `POST /v1/tokens/{id}/enable`.
    Enable(String),
}

impl Operation {
    /// The operation of a path.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let rest = path.strip_prefix(TOKENS).ok_or(Refusal::RouteUnknown)?;
        if rest.is_empty() {
            return match *method {
                Method::GET => Ok(Self::List),
                Method::POST => Ok(Self::Create),
                _ => Err(Refusal::MethodNotAllowed { allow: Method::GET }),
            };
        }
        let rest = rest.strip_prefix('/').ok_or(Refusal::RouteUnknown)?;
        let (id, verb) = rest.split_once('/').map_or((rest, None), |(id, verb)| (id, Some(verb)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(plain) {
            return Err(Refusal::RouteUnknown);
        }
        let id = id.to_owned();
        let wants = |wanted: Method, operation: Self| {
            if *method == wanted { Ok(operation) } else { Err(Refusal::MethodNotAllowed { allow: wanted }) }
        };
        match verb {
            None if *method == Method::PATCH => Ok(Self::Edit(id)),
            None if *method == Method::DELETE => Ok(Self::Revoke(id)),
            None => wants(Method::GET, Self::Inspect(id)),
            Some("rotate") => wants(Method::POST, Self::Rotate(id)),
            Some("revoke") => wants(Method::POST, Self::Revoke(id)),
            Some("disable") => wants(Method::POST, Self::Disable(id)),
            Some("enable") => wants(Method::POST, Self::Enable(id)),
            Some(_) => Err(Refusal::RouteUnknown),
        }
    }
}
