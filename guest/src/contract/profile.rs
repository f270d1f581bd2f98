//! The texts that describe who asks and what is asked, as they come in, with their limits checked.

use crate::contract::id::{self, IdError};
use crate::contract::limits::Limits;
use crate::contract::network::NetworkError;
use crate::contract::strict::{self, Str, present, present_object, present_objects};
use crate::contract::time::{Millis, NUMBER_MAX};
use crate::facts::vocabulary::Fact;
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

/// Why a text of a host was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputError {
    /// The text is not what the contract says: the host's mistake.
    #[error("{0}")]
    Malformed(String),
    /// The text is, and one of its values cannot be used.
    #[error("{0}")]
    Invalid(String),
}

impl InputError {
    /// A value of a field that breaks a rule.
    pub fn field(field: &str, why: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("`{field}` {why}"))
    }

    /// The same error, from within `outer`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        match self {
            Self::Malformed(text) => Self::Malformed(format!("{outer}: {text}")),
            Self::Invalid(text) => Self::Invalid(format!("{outer}: {text}")),
        }
    }
}

/// A token's profile and the state of the presented secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Str<'a>>,
    #[serde(borrow)]
    pub purpose: Str<'a>,
    #[serde(borrow)]
    pub principal_type: Str<'a>,
    #[serde(borrow)]
    pub status: Str<'a>,
    #[serde(default, deserialize_with = "present")]
    pub org_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub team_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub roles: Option<Vec<Str<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub not_before: Option<Millis>,
    #[serde(default, deserialize_with = "present")]
    pub expires_at: Option<Millis>,
    #[serde(default, deserialize_with = "present")]
    pub grace_until: Option<Millis>,
    #[serde(default, deserialize_with = "present_object")]
    pub bindings: Option<Bindings<'a>>,
    #[serde(default, deserialize_with = "present_objects")]
    pub budgets: Option<Vec<Budget<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub attributes: Option<&'a RawValue>,
}

/// What a token is bound to, or would be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bindings<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub gateway_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub consumer_group: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub providers: Option<Vec<Str<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub models: Option<Vec<Str<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub scopes: Option<Vec<Str<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub networks: Option<Vec<Str<'a>>>,
}

/// A token that is asked about: as it is, or as it would be stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub purpose: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub principal_type: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub org_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub team_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub roles: Option<Vec<Str<'a>>>,
    #[serde(default, deserialize_with = "present_object")]
    pub bindings: Option<Bindings<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub not_before: Option<Millis>,
    #[serde(default, deserialize_with = "present")]
    pub expires_at: Option<Millis>,
    #[serde(default, deserialize_with = "present_objects")]
    pub budgets: Option<Vec<Budget<'a>>>,
    #[serde(default, deserialize_with = "present")]
    pub attributes: Option<&'a RawValue>,
}

/// A budget or a rate of a token: how much in which window, not what is left of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget<'a> {
    #[serde(borrow)]
    pub unit: Str<'a>,
    pub window: Str<'a>,
    pub limit: i64,
}

/// A budget or a rate, as the host counts it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    pub limit: i64,
    pub spent: i64,
    pub requested: i64,
    #[serde(default, deserialize_with = "present")]
    pub resets_at: Option<Millis>,
}

/// The counters of a request.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    #[serde(default, deserialize_with = "present_object")]
    pub budget: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub team_budget: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub rate: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub team_rate: Option<Counter>,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    #[serde(borrow)]
    pub action: Str<'a>,
    #[serde(default, deserialize_with = "present")]
    pub provider: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub model: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub gateway_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub team_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub consumer_group: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub client_ip: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub org_id: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present_object")]
    pub target: Option<Target<'a>>,
    #[serde(default, deserialize_with = "present_object")]
    pub current: Option<Target<'a>>,
    #[serde(default, deserialize_with = "present")]
    pub attributes: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present_object")]
    pub budget: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub team_budget: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub rate: Option<Counter>,
    #[serde(default, deserialize_with = "present_object")]
    pub team_rate: Option<Counter>,
    /// The request's text holds counters of its own.
    #[serde(skip)]
    pub own_counters: bool,
}

impl Counters {
    /// Reads counters.
    ///
    /// # Errors
    /// [`InputError::Malformed`].
    pub fn read(text: &str) -> Result<Self, InputError> {
        strict::object_from_str(text).map_err(InputError::Malformed)
    }

    /// Reads counters and checks their numbers.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn read_checked(text: &str) -> Result<Self, InputError> {
        let counters = Self::read(text)?;
        check_counters(counters.all()).map(|()| counters)
    }

    /// The counters, by what they are facts of.
    #[must_use]
    pub fn all(self) -> [(Fact, Option<Counter>); 4] {
        let Self { budget, team_budget, rate, team_rate } = self;
        [(Fact::Budget, budget), (Fact::TeamBudget, team_budget), (Fact::Rate, rate), (Fact::TeamRate, team_rate)]
    }
}

fn check_counters(counters: [(Fact, Option<Counter>); 4]) -> Result<(), InputError> {
    for (fact, counter) in counters {
        let Some(counter) = counter else { continue };
        if [counter.limit, counter.spent, counter.requested].iter().any(|n| !(0..=NUMBER_MAX).contains(n)) {
            return Err(InputError::field(fact.name(), "has a number that is not between 0 and 2^53"));
        }
    }
    Ok(())
}

impl<'a> Profile<'a> {
    /// Reads a profile and checks every value that it holds.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn read(text: &'a str, limits: &Limits) -> Result<Self, InputError> {
        bytes("profile", text.len(), limits)?;
        let profile: Self = strict::object_from_str(text).map_err(InputError::Malformed)?;
        id("id", Some(&profile.id), limits)?;
        for (field, value) in [
            ("name", profile.name.as_deref()),
            ("purpose", Some(&*profile.purpose)),
            ("principal_type", Some(&*profile.principal_type)),
            ("status", Some(&*profile.status)),
        ] {
            string(field, value, limits)?;
        }
        id("org_id", profile.org_id.as_deref(), limits)?;
        id("team_id", profile.team_id.as_deref(), limits)?;
        strings("roles", profile.roles.as_deref(), limits)?;
        budgets(profile.budgets.as_deref(), limits)?;
        attributes(profile.attributes, limits)?;
        if let Some(bindings) = &profile.bindings {
            bindings.check(limits).map_err(|e| e.within("bindings"))?;
        }
        Ok(profile)
    }
}

impl<'a> Bindings<'a> {
    fn check(&self, limits: &Limits) -> Result<(), InputError> {
        id("gateway_id", self.gateway_id.as_deref(), limits)?;
        id("consumer_group", self.consumer_group.as_deref(), limits)?;
        strings("scopes", self.scopes.as_deref(), limits)?;
        for (field, list) in [("providers", &self.providers), ("models", &self.models), ("networks", &self.networks)] {
            strings(field, list.as_deref(), limits)?;
        }
        for provider in self.providers.iter().flatten() {
            id::check_provider(provider, limits).map_err(|e| InputError::field("providers", e))?;
        }
        Ok(())
    }
}

impl<'a> Request<'a> {
    /// Reads a request with its counters and checks every value that it holds.
    ///
    /// # Errors
    /// [`InputError`]; what a client can cause is [`InputError::Invalid`].
    pub fn read(text: &'a str, counters: &str, limits: &Limits) -> Result<Self, InputError> {
        bytes("request", text.len().saturating_add(counters.len()), limits)?;
        let mut request: Self = strict::object_from_str(text).map_err(InputError::Malformed)?;
        request.own_counters = request.counters().iter().any(|(_, counter)| counter.is_some());
        if !counters.is_empty() {
            request.add(Counters::read(counters)?)?;
        }
        request.check(limits)?;
        Ok(request)
    }

    fn add(&mut self, counters: Counters) -> Result<(), InputError> {
        let Counters { budget, team_budget, rate, team_rate } = counters;
        for (field, own, other) in [
            ("budget", &mut self.budget, budget),
            ("team_budget", &mut self.team_budget, team_budget),
            ("rate", &mut self.rate, rate),
            ("team_rate", &mut self.team_rate, team_rate),
        ] {
            if own.is_some() && other.is_some() {
                return Err(InputError::Malformed(format!("`{field}` stands in the request and in its counters")));
            }
            *own = own.or(other);
        }
        Ok(())
    }

    fn check(&self, limits: &Limits) -> Result<(), InputError> {
        for (field, value) in [
            ("action", Some(&*self.action)),
            ("gateway_id", self.gateway_id.as_deref()),
            ("team_id", self.team_id.as_deref()),
            ("consumer_group", self.consumer_group.as_deref()),
            ("org_id", self.org_id.as_deref()),
        ] {
            id(field, value, limits)?;
        }
        if let Some(provider) = &self.provider {
            id::check_provider(provider, limits).map_err(|e| InputError::field("provider", e))?;
        }
        if let Some(model) = &self.model {
            id::check_model(model, limits).map_err(|e| InputError::field("model", e))?;
        }
        check_counters(self.counters())?;
        attributes(self.attributes, limits)?;
        for (field, token) in [("target", &self.target), ("current", &self.current)] {
            if let Some(token) = token {
                token.check(limits).map_err(|e| e.within(field))?;
            }
        }
        Ok(())
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> [(Fact, Option<Counter>); 4] {
        let Self { budget, team_budget, rate, team_rate, .. } = *self;
        Counters { budget, team_budget, rate, team_rate }.all()
    }
}

impl<'a> Target<'a> {
    fn check(&self, limits: &Limits) -> Result<(), InputError> {
        id("id", self.id.as_deref(), limits)?;
        id("org_id", self.org_id.as_deref(), limits)?;
        id("team_id", self.team_id.as_deref(), limits)?;
        for (field, value) in
            [("name", &self.name), ("purpose", &self.purpose), ("principal_type", &self.principal_type)]
        {
            string(field, value.as_deref(), limits)?;
        }
        strings("roles", self.roles.as_deref(), limits)?;
        budgets(self.budgets.as_deref(), limits)?;
        attributes(self.attributes, limits)?;
        self.bindings.as_ref().map_or(Ok(()), |bindings| bindings.check(limits).map_err(|e| e.within("bindings")))
    }
}

/// Whether a text is short enough.
///
/// # Errors
/// [`InputError::Invalid`].
pub fn bytes(what: &str, length: usize, limits: &Limits) -> Result<(), InputError> {
    if length > limits.request_bytes {
        return Err(InputError::Invalid(format!(
            "the {what} is {length} bytes long, the limit is {}",
            limits.request_bytes
        )));
    }
    Ok(())
}

fn id(field: &str, value: Option<&str>, limits: &Limits) -> Result<(), InputError> {
    value.map_or(Ok(()), |value| id::check(value, limits)).map_err(|e| InputError::field(field, e))
}

fn string(field: &str, value: Option<&str>, limits: &Limits) -> Result<(), InputError> {
    value.map_or(Ok(()), |value| id::length(value, limits)).map_err(|e: IdError| InputError::field(field, e))
}

fn strings(field: &str, list: Option<&[Str<'_>]>, limits: &Limits) -> Result<(), InputError> {
    let list = list.unwrap_or_default();
    count(field, list.len(), limits)?;
    list.iter().try_for_each(|entry| string(field, Some(&**entry), limits))
}

fn count(field: &str, entries: usize, limits: &Limits) -> Result<(), InputError> {
    if entries <= limits.list_entries {
        return Ok(());
    }
    Err(InputError::field(field, format_args!("has {entries} entries, the limit is {}", limits.list_entries)))
}

fn budgets(list: Option<&[Budget<'_>]>, limits: &Limits) -> Result<(), InputError> {
    let list = list.unwrap_or_default();
    count("budgets", list.len(), limits)?;
    for Budget { unit, window, limit } in list {
        id("budgets", Some(&**unit), limits)?;
        id("budgets", Some(&**window), limits)?;
        if !(0..=NUMBER_MAX).contains(limit) {
            return Err(InputError::field("budgets", "has a number that is not between 0 and 2^53"));
        }
    }
    Ok(())
}

fn attributes(raw: Option<&RawValue>, limits: &Limits) -> Result<(), InputError> {
    match raw {
        Some(raw) if raw.get().len() > limits.attributes_bytes => Err(InputError::field(
            "attributes",
            format_args!("is {} bytes long, the limit is {}", raw.get().len(), limits.attributes_bytes),
        )),
        _ => Ok(()),
    }
}

impl From<NetworkError> for InputError {
    fn from(error: NetworkError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{InputError, Profile, Request};
    use crate::contract::limits::Limits;

    const PROFILE: &str = r#"{"id":"t","purpose":"general","principal_type":"api_token","status":"active""#;

    fn profile(more: &str) -> Result<(), InputError> {
        Profile::read(&format!("{PROFILE}{more}}}"), &Limits::default()).map(drop)
    }

    fn request(more: &str) -> Result<(), InputError> {
        Request::read(&format!(r#"{{"action":"chat"{more}}}"#), "", &Limits::default()).map(drop)
    }

    #[test]
    fn only_the_form_of_the_contract_is_read() {
        assert!(profile("").is_ok());
        for more in [
            r#","nmae":"x""#,
            r#","name":null"#,
            r#","name":1"#,
            r#","id":"again""#,
            r#","bindings":[]"#,
            r#","bindings":["gw"]"#,
            r#","bindings":{"models":null}"#,
            r#","bindings":{"models":"gpt"}"#,
            r#","expires_at":"2026-13-01T00:00:00Z""#,
            r#","expires_at":1776948300"#,
        ] {
            assert!(matches!(profile(more), Err(InputError::Malformed(_))), "{more}");
        }
        for text in ["", "[]", "null", "{", "{} {}", r#"["t","general"]"#] {
            let read = Profile::read(text, &Limits::default());
            assert!(matches!(read, Err(InputError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn what_a_client_can_cause_is_invalid_and_not_malformed() {
        for more in [
            r#","model":"gpt *""#,
            r#","provider":"Open AI""#,
            r#","team_id":"""#,
            r#","budget":{"limit":-1,"spent":0,"requested":0}"#,
            r#","budget":{"limit":9007199254740993,"spent":0,"requested":0}"#,
        ] {
            assert!(matches!(request(more), Err(InputError::Invalid(_))), "{more}");
        }
        assert!(request(r#","budget":{"limit":9007199254740992,"spent":0,"requested":0}"#).is_ok());
        for more in [r#","budget":[1,2,3]"#, r#","budget":{"limit":1.5,"spent":0,"requested":0}"#, r#","target":[]"#] {
            assert!(matches!(request(more), Err(InputError::Malformed(_))), "{more}");
        }
        let long = format!(r#","model":"{}""#, "x".repeat(70_000));
        assert!(matches!(request(&long), Err(InputError::Invalid(_))));
    }
}
