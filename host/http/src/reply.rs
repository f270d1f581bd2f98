//! The one place where a denial becomes an HTTP response. Nobody else writes a status code.

mod caller;
mod form;
mod invalid;
mod refusal;
mod rejection;
mod request_id;
mod wire;

use bytes::Bytes;
use http::Response;

pub use caller::Caller;
pub use invalid::Invalid;
pub use refusal::{Refusal, Unavailable, Upstream};
pub use rejection::Rejection;
pub use request_id::RequestId;
pub use wire::Wire;

/// The response to a request that is not admitted, in the caller's dialect.
///
/// It says nothing about policies, about what the token may do, or about a secret. `HEAD` gets no body.
#[must_use]
pub fn reply(rejection: &Rejection, caller: &Caller) -> Response<Bytes> {
    form::response(&rejection.on_the_wire(caller), caller)
}
