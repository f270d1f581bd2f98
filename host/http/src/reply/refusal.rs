//! What a host refuses by itself: where there is no principal, or where no decision can be asked for.

use http::Method;

use super::invalid::Invalid;

/// A refusal that rests on no decision. The list is closed: whoever reacts to one reacts to all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No credential was sent: 401.
    #[error("no gateway token was sent: send `Authorization: Bearer`")]
    TokenMissing,
    /// What was sent is no credential, or not where credentials are read: 401.
    #[error("the gateway token is not well formed: send one, in a header, as `Authorization: Bearer`")]
    TokenMalformed,
    /// Nobody has this credential: 401.
    #[error("the gateway does not know this token")]
    TokenUnknown,
    /// Two different credentials were sent: 401.
    #[error("two different gateway tokens were sent: send one")]
    TokenConflict,
    /// No endpoint has this path: 404.
    #[error("the gateway has no such endpoint")]
    RouteUnknown,
    /// The endpoint takes another method: 405.
    #[error("the gateway's endpoint does not take this method")]
    MethodNotAllowed {
        /// The method that it takes.
        allow: Method,
    },
    /// The request cannot be decided as it stands: 400.
    #[error("{0}")]
    RequestInvalid(Invalid),
    /// The client did not send its request in time: 408.
    #[error("the gateway waited too long for the request")]
    RequestTimeout,
    /// The body is larger than the limit: 413.
    #[error("the body is larger than the gateway's limit")]
    BodyTooLarge,
    /// The body is encoded, is not UTF-8, or is of a type that the endpoint does not read: 415.
    #[error("the gateway does not read this type or encoding of body")]
    MediaTypeUnsupported,
    /// Whoever asks may use such a model, but nobody serves it: 404.
    #[error("the gateway has no such model; ids are compared exactly, upper and lower case included")]
    ModelUnknown,
    /// Something that an answer needs is away: 503.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// A provider did not answer as it should: 502 or 504.
    #[error("{0}")]
    Upstream(Upstream),
}

/// What is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailable {
    /// The store of tokens cannot be read: who asks is not known, which is no reason to call him unknown.
    #[error("the gateway cannot look up tokens at the moment; try again")]
    TokenStore,
    /// The counters of budgets and rates cannot be read.
    #[error("the gateway cannot look up budgets at the moment; try again")]
    Counters,
    /// A principal cannot be prepared for a decision.
    #[error("the gateway could not decide this request; try again")]
    Principal,
    /// Too much is under way.
    #[error("the gateway is busy; try again")]
    Overloaded,
    /// The gateway is about to end.
    #[error("the gateway is shutting down; try again")]
    ShuttingDown,
}

/// What went wrong at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Upstream {
    /// It could not be reached, or broke off before it answered: 502.
    #[error("the gateway could not reach the provider")]
    Unreachable,
    /// It did not answer in time: 504.
    #[error("the provider did not answer the gateway in time")]
    Timeout,
    /// What it answered is no answer: 502.
    #[error("the provider's answer could not be read by the gateway")]
    Malformed,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::TokenMissing | Self::TokenMalformed | Self::TokenUnknown | Self::TokenConflict => 401,
            Self::RouteUnknown | Self::ModelUnknown => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::RequestInvalid(_) => 400,
            Self::RequestTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::MediaTypeUnsupported => 415,
            Self::Unavailable(_) => 503,
            Self::Upstream(Upstream::Unreachable | Upstream::Malformed) => 502,
            Self::Upstream(Upstream::Timeout) => 504,
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::TokenUnknown => "token_unknown",
            Self::TokenConflict => "token_conflict",
            Self::RouteUnknown => "route_unknown",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::RequestInvalid(_) => "request_invalid",
            Self::RequestTimeout => "request_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::MediaTypeUnsupported => "media_type_unsupported",
            Self::ModelUnknown => "model_not_found",
            Self::Unavailable(Unavailable::TokenStore) => "store_unavailable",
            Self::Unavailable(Unavailable::Counters) => "counters_unavailable",
            Self::Unavailable(Unavailable::Principal) => "policy_unavailable",
            Self::Unavailable(Unavailable::Overloaded) => "overloaded",
            Self::Unavailable(Unavailable::ShuttingDown) => "shutting_down",
            Self::Upstream(Upstream::Unreachable) => "upstream_unreachable",
            Self::Upstream(Upstream::Timeout) => "upstream_timeout",
            Self::Upstream(Upstream::Malformed) => "upstream_malformed",
        }
    }
}
