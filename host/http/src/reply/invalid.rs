//! What is wrong with a request that cannot be decided.

use crate::catalogue::ModelIdError;

/// Why a request is 400. The text goes to the client; it repeats nothing that the client wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The body could not be read to its end.
    #[error("the gateway could not read the body of the request")]
    BodyUnreadable,
    /// An endpoint that takes a body got none.
    #[error("the body is empty: the gateway expects an object with a `model`")]
    BodyEmpty,
    /// An endpoint that takes no body got one.
    #[error("the gateway expects no body here")]
    BodyUnexpected,
    /// The body is not a JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// The body nests deeper than [`DEPTH_MAX`](crate::extract::DEPTH_MAX).
    #[error("the body nests deeper than 64 levels")]
    TooDeep,
    /// The body has more than [`KEYS_MAX`](crate::extract::KEYS_MAX) top-level keys.
    #[error("the body has more than 256 top-level keys")]
    TooManyKeys,
    /// A key stands twice, or in two cases.
    #[error("a top-level key of the body stands twice, or again in other letters")]
    KeyRepeated,
    /// A key that matters is written in other letters or with escapes.
    #[error("a key that the gateway reads is written in other letters or with escapes: write it plainly")]
    KeyDisguised,
    /// A field by which other systems choose a model, a server or a bill.
    #[error("the gateway takes no `{0}` in a body: it could lead to another model, another server or another bill")]
    KeyReroutes(&'static str),
    /// A field has another type than it must.
    #[error("`{0}` has the wrong type, or a value out of range")]
    Field(&'static str),
    /// No model is named.
    #[error("`model` is missing")]
    ModelMissing,
    /// The model's id cannot be one.
    #[error(transparent)]
    ModelId(#[from] ModelIdError),
    /// Two places name different models.
    #[error("the request names two different models: name the same one everywhere, or only one")]
    ModelConflict,
    /// The multipart form is not well formed.
    #[error("the multipart form is not well formed, or holds what the gateway does not read")]
    Form,
    /// The path or the query holds a broken or doubled percent-encoding.
    #[error("the path or the query is not well encoded")]
    Encoding,
    /// The query is longer than [`QUERY_BYTES_MAX`](crate::extract::QUERY_BYTES_MAX).
    #[error("the query is longer than 4096 bytes")]
    QueryTooLong,
    /// The query chooses a provider or asks for something out of range.
    #[error("the query holds a parameter that the gateway does not accept")]
    Query,
    /// A header that matters stands twice, holds what it must not, or is named in `connection`.
    #[error("a header that the gateway reads stands twice, or holds what it must not")]
    Header,
    /// The addresses in `x-forwarded-for` cannot be read.
    #[error("the gateway cannot tell the address of the client")]
    ClientAddress,
}

impl Invalid {
    /// The parameter that is wrong, for dialects that say it.
    #[must_use]
    pub const fn param(self) -> Option<&'static str> {
        match self {
            Self::Field(name) | Self::KeyReroutes(name) => Some(name),
            Self::ModelMissing | Self::ModelId(_) | Self::ModelConflict => Some("model"),
            _ => None,
        }
    }
}
