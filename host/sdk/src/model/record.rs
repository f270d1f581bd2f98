//! One recorded request: a line of a `.jsonl` file.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::present::present;
use super::{Profile, Request, Timestamp};

/// The only version of records so far.
const VERSION: u64 = 1;

/// A recorded request, with what is expected of its decision.
///
/// The principal and the request stay the text that was recorded: whether they are well formed is the
/// component's to say, so that a replay is judged by what judged the request.
///
/// ```
/// use cedargate::model::Record;
///
/// let record = Record::from_line(
///     r#"{"id":"r-17","at":"2026-04-23T12:45:00Z","principal":{},"request":{"action":"models.list"}}"#,
/// )?;
/// assert_eq!(record.request(), r#"{"action":"models.list"}"#);
/// # Ok::<(), cedargate::model::RecordError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    #[serde(default = "version")]
    v: u64,
    id: String,
    at: Timestamp,
    principal: Box<RawValue>,
    request: Box<RawValue>,
    #[serde(default, deserialize_with = "expected", skip_serializing_if = "Option::is_none")]
    expect: Option<Expect>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    policy_set: Option<String>,
}

/// An object only: a derived type would read a list of its fields, too.
fn expected<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expect>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if !raw.get().starts_with('{') {
        return Err(D::Error::custom("`expect` is not an object"));
    }
    serde_json::from_str(raw.get()).map(Some).map_err(D::Error::custom)
}

const fn version() -> u64 {
    VERSION
}

impl Record {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the line is not a record: an unknown field, one that stands twice, `null`, a wrong
    /// type, a version that is not 1, a principal or a request that is not an object.
    pub fn from_line(line: &str) -> Result<Self, RecordError> {
        if !line.trim_start().starts_with('{') {
            return Err(RecordError { text: "not an object".to_owned() });
        }
        let record: Self = serde_json::from_str(line).map_err(|error| RecordError { text: describe(&error) })?;
        if record.v != VERSION {
            return Err(RecordError {
                text: format!("version {} is not known: this reads version {VERSION}", record.v),
            });
        }
        for (name, value) in [("principal", record.principal()), ("request", record.request())] {
            if !value.starts_with('{') {
                return Err(RecordError { text: format!("`{name}` is not an object") });
            }
        }
        Ok(record)
    }

    /// A record of a request, for a decision log.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the parts cannot be written as JSON.
    pub fn new(
        id: impl Into<String>,
        at: Timestamp,
        principal: &Profile,
        request: &Request,
    ) -> Result<Self, RecordError> {
        let raw = |value: Result<Box<RawValue>, serde_json::Error>| {
            value.map_err(|error| RecordError { text: error.to_string() })
        };
        Ok(Self {
            v: VERSION,
            id: id.into(),
            at,
            principal: raw(serde_json::value::to_raw_value(principal))?,
            request: raw(serde_json::value::to_raw_value(request))?,
            expect: None,
            policy_set: None,
        })
    }

    /// The same record with the digest of the policy set that was in force.
    #[must_use]
    pub fn with_policy_set(mut self, digest: impl Into<String>) -> Self {
        self.policy_set = Some(digest.into());
        self
    }

    /// The same record with what is expected of its decision.
    #[must_use]
    pub fn with_expect(mut self, expect: Expect) -> Self {
        self.expect = Some(expect);
        self
    }

    /// The record as one line, without its end.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the record cannot be written as JSON.
    pub fn to_line(&self) -> Result<String, RecordError> {
        serde_json::to_string(self).map_err(|error| RecordError { text: error.to_string() })
    }

    /// The name of the record within its file.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the request was decided.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The JSON text of the principal.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.principal.get()
    }

    /// The JSON text of the request, its counters within it.
    #[must_use]
    pub fn request(&self) -> &str {
        self.request.get()
    }

    /// What is expected of the decision.
    #[must_use]
    pub fn expect(&self) -> Option<&Expect> {
        self.expect.as_ref()
    }

    /// The digest of the policy set that was in force when the request was recorded.
    #[must_use]
    pub fn policy_set(&self) -> Option<&str> {
        self.policy_set.as_deref()
    }
}

/// The text of a JSON error, with the column but without the line: a record has only one.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(text) if error.column() > 0 => format!("{text} at column {}", error.column()),
        _ => text,
    }
}

/// What is expected of a decision. What is absent is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expect {
    /// Whether the request is admitted.
    pub decision: ExpectedDecision,
    /// The status of the denial.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of the denial.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Exactly the determining policies.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<String>>,
}

impl Expect {
    /// Expects a decision and says nothing about its reason.
    #[must_use]
    pub const fn new(decision: ExpectedDecision) -> Self {
        Self { decision, status: None, code: None, policies: None }
    }
}

/// Admitted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedDecision {
    /// The request is admitted.
    Allow,
    /// The request is denied.
    Deny,
}

/// The line is not a record.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct RecordError {
    text: String,
}
