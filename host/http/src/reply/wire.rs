//! What a client is told, before it is put in the words of a dialect.

use cedargate::Denial;
use http::Method;

use super::refusal::{Refusal, Unavailable};

/// When to try again after a 503 of the host, in seconds: what is away for long is away for everybody.
const UNAVAILABLE_RETRY_S: u64 = 1;

/// Codes of denials that hold for any model alike. With all others, a model asked for by its id is said not to be
/// there, since who may not use it is not told that it is.
const WHATEVER_THE_MODEL: [&str; 7] = [
    "action_not_allowed",
    "consumer_group_mismatch",
    "gateway_mismatch",
    "network_not_allowed",
    "scope_not_allowed",
    "target_not_allowed",
    "team_mismatch",
];

/// Codes that are about the model, for dialects that name the parameter.
const ABOUT_THE_MODEL: [&str; 3] = ["model_not_allowed", "model_not_found", "provider_not_allowed"];

/// Status, code, message and what else a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wire {
    /// The status of the response.
    pub status: u16,
    /// The stable code.
    pub code: Box<str>,
    /// The message.
    pub message: Box<str>,
    /// The parameter that is at fault.
    pub param: Option<&'static str>,
    /// When to try again, in seconds.
    pub retry_after_s: Option<u64>,
    /// Whether to try again at all, where that is worth saying.
    pub should_retry: Option<bool>,
    /// The method that the endpoint takes.
    pub allow: Option<Method>,
}

impl Wire {
    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        let (mut param, mut allow, mut retry_after_s, mut should_retry) = (None, None, None, None);
        match refusal {
            Refusal::RequestInvalid(invalid) => param = invalid.param(),
            Refusal::ModelUnknown => param = Some("model"),
            Refusal::MethodNotAllowed { allow: method } => allow = Some(method.clone()),
            Refusal::Unavailable(
                Unavailable::TokenStore
                | Unavailable::Counters
                | Unavailable::Principal
                | Unavailable::Overloaded
                | Unavailable::ShuttingDown,
            ) => (retry_after_s, should_retry) = (Some(UNAVAILABLE_RETRY_S), Some(true)),
            Refusal::TokenMissing
            | Refusal::TokenMalformed
            | Refusal::TokenUnknown
            | Refusal::TokenConflict
            | Refusal::RouteUnknown
            | Refusal::RequestTimeout
            | Refusal::BodyTooLarge
            | Refusal::MediaTypeUnsupported
            | Refusal::Upstream(_) => {}
        }
        let (code, message) = (refusal.code().into(), refusal.to_string().into());
        Self { status: refusal.status(), code, message, param, retry_after_s, should_retry, allow }
    }

    pub(super) fn of_denial(denial: &Denial) -> Self {
        let code = denial.code.as_str();
        Self {
            status: denial.status,
            code: code.into(),
            message: denial.message.as_str().into(),
            param: ABOUT_THE_MODEL.contains(&code).then_some("model"),
            retry_after_s: denial.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            should_retry: matches!(denial.status, 429 | 503).then_some(denial.should_retry),
            allow: None,
        }
    }

    /// Whether a denial hides the model that was asked for.
    pub(super) fn hides(denial: &Denial) -> bool {
        denial.status == 403 && !WHATEVER_THE_MODEL.contains(&denial.code.as_str())
    }
}
