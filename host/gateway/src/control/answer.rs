//! What the control plane answers.

use cedargate_http::reply::{Caller, Refusal, Rejection, Unavailable};
use cedargate_tokens::{Period, REPEAT_AFTER, StoreError, TokenError};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::ReplyBody;

/// A JSON answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
    /// When another try may do better.
    retry_after: Option<Period>,
}

/// Why nothing was done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request was not admitted.
    Rejected(Rejection),
    /// It was, or could not be read, and cannot be done.
    Answered(Answer),
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body, retry_after: None }
    }

    fn mistake(status: StatusCode, code: &str, message: &str) -> Self {
        let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
        Self::new(status, json!({"error": error}))
    }

    pub(super) fn into_response(self, caller: &Caller) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::full(self.body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // An answer may hold a secret, which is shown once.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, wait.duration().as_secs().into());
        }
        headers.insert(caller.request_id_header(), caller.request_id().header());
        response
    }
}

impl Failure {
    /// The request cannot be read.
    pub(super) fn unreadable(message: &str) -> Self {
        Self::Answered(Answer::mistake(StatusCode::BAD_REQUEST, "request_invalid", message))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected(refusal.into())
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let (status, code) = match &error {
            TokenError::NotFound(_) => (StatusCode::NOT_FOUND, "token_not_found"),
            TokenError::NameInUse(_) => (StatusCode::CONFLICT, "name_in_use"),
            TokenError::Revoked(_) => (StatusCode::CONFLICT, "token_revoked"),
            TokenError::Expired(_) => (StatusCode::CONFLICT, "token_expired"),
            TokenError::TooManySecrets { .. } => (StatusCode::CONFLICT, "too_many_secrets"),
            TokenError::RotationKeyUsed { .. } => (StatusCode::CONFLICT, "idempotency_key_used"),
            TokenError::RotatedSecretUsed { .. } => (StatusCode::CONFLICT, "rotated_key_in_use"),
            TokenError::RotationUnderWay { .. } => (StatusCode::CONFLICT, "rotation_under_way"),
            TokenError::Store(StoreError::Conflict) => (StatusCode::CONFLICT, "conflict"),
            TokenError::Store(_) | TokenError::Generate(_) => {
                tracing::error!(%error, "a token cannot be changed");
                return Refusal::Unavailable(Unavailable::TokenStore).into();
            }
            _ => (StatusCode::BAD_REQUEST, "request_invalid"),
        };
        let retry_after = match error {
            TokenError::RotationUnderWay { .. } => Some(REPEAT_AFTER),
            _ => None,
        };
        Self::Answered(Answer { retry_after, ..Answer::mistake(status, code, &error.to_string()) })
    }
}
