//! What a request of the control plane asks for, read from its JSON.

use cedargate::model::{Target, Timestamp};
use cedargate_tokens::{
    Allowance, Edit, EnvSegment, Grant, Label, NewToken, Period, Rotation, Secret, Selector, Token, TokenError,
    TokenFilter, Tokens, Update,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Failure;
use super::route::Operation;

/// What is asked for. A filter, a token or a change was read, and nothing was done.
pub(super) enum Asked {
    List(TokenFilter),
    Create(Box<NewToken>),
    Inspect(String),
    /// The token's id, the change, and what the token would be.
    Edit(String, Box<Edit>, Box<Target>),
    Rotate(String, Rotation),
    Revoke(String, Option<u32>),
    Disable(String, Box<Target>),
    Enable(String, Box<Target>),
}

/// A new token and its secret.
pub(super) struct Created {
    pub(super) token: Token,
    pub(super) secret: Secret,
}

/// A token and its new secret.
pub(super) struct Rotated {
    pub(super) token: Token,
    pub(super) secret: Secret,
    pub(super) grace_until: Option<Timestamp>,
}

impl Asked {
    /// Reads a request. An edit looks at the token that it changes, since what comes of it is a fact of the decision.
    pub(super) async fn read(
        operation: Operation,
        query: Option<&str>,
        body: &[u8],
        tokens: &Tokens,
    ) -> Result<Self, Failure> {
        Ok(match operation {
            Operation::List => Self::List(filter(query.unwrap_or_default())?),
            Operation::Inspect(id) => Self::Inspect(id),
            Operation::Create => Self::Create(Box::new(json::<Create>(body)?.into_token()?)),
            Operation::Edit(id) => {
                let edit = json::<Change>(body)?.into_edit()?;
                let target = target(tokens, &id, &edit).await?;
                Self::Edit(id, Box::new(edit), target)
            }
            Operation::Rotate(id) => Self::Rotate(id, optional::<Rotate>(body)?.into_rotation()?),
            Operation::Revoke(id) => Self::Revoke(id, optional::<Revoke>(body)?.version),
            Operation::Disable(id) => {
                let target = target(tokens, &id, &Edit::default()).await?;
                Self::Disable(id, target)
            }
            Operation::Enable(id) => {
                let target = target(tokens, &id, &Edit::default()).await?;
                Self::Enable(id, target)
            }
        })
    }

    /// The action that policies know.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::List(_) => "tokens.list",
            Self::Create(_) => "tokens.create",
            Self::Inspect(_) => "tokens.inspect",
            Self::Edit(..) | Self::Disable(..) | Self::Enable(..) => "tokens.edit",
            Self::Rotate(..) => "tokens.rotate",
            Self::Revoke(..) => "tokens.revoke",
        }
    }

    /// What would be granted.
    pub(super) fn target(&self) -> Option<Target> {
        match self {
            Self::Create(new) => Some(granted(None, &new.name, &new.grant)),
            Self::Edit(_, _, target) | Self::Disable(_, target) | Self::Enable(_, target) => Some((**target).clone()),
            Self::List(_) | Self::Inspect(_) | Self::Rotate(..) | Self::Revoke(..) => None,
        }
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::unreadable(&format!("the body is not what it must be: {error}")))
}

fn optional<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Failure> {
    if body.is_empty() { Ok(T::default()) } else { json(body) }
}

/// Conditions in a query: `type=gateway&status=active`.
fn filter(query: &str) -> Result<TokenFilter, Failure> {
    let mut filter = TokenFilter::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(['%', '+']) {
            return Err(Failure::unreadable("the query holds an encoding: filter by plain words"));
        }
        filter.add(pair).map_err(|error| Failure::unreadable(&error.to_string()))?;
    }
    Ok(filter)
}

/// A token to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    description: Option<String>,
    token_type: Option<String>,
    purpose: Option<String>,
    env: Option<String>,
    expires_at: Option<Timestamp>,
    expires_in: Option<String>,
    not_before: Option<Timestamp>,
    team_id: Option<String>,
    org_id: Option<String>,
    gateway_id: Option<String>,
    consumer_group: Option<String>,
    allowed_providers: Option<Vec<String>>,
    allowed_models: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    networks: Option<Vec<String>>,
    #[serde(default)]
    budgets: Vec<Allowance>,
}

impl Create {
    fn into_token(self) -> Result<NewToken, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::unreadable(&error.to_string());
        let label = self.token_type.as_deref().map(str::parse::<Label>).transpose().map_err(|error| wrong(&error))?;
        let mut grant = profile(self.purpose.as_deref(), label, self.gateway_id.is_some())?;
        grant.org_id = self.org_id;
        grant.team_id = self.team_id;
        grant.not_before = self.not_before;
        grant.expires_at = self.expires_at;
        grant.bindings.gateway_id = self.gateway_id;
        grant.bindings.consumer_group = self.consumer_group;
        grant.bindings.providers = self.allowed_providers;
        grant.bindings.models = self.allowed_models;
        grant.bindings.scopes = self.scopes;
        grant.bindings.networks = self.networks;
        let mut new = NewToken::new(self.name, grant);
        new.description = self.description;
        new.label = label;
        new.allowances = self.budgets;
        new.expires_in =
            self.expires_in.map(|text| text.parse::<Period>()).transpose().map_err(|error| wrong(&error))?;
        if let Some(env) = self.env {
            new.env = env.parse::<EnvSegment>().map_err(|error| wrong(&error))?;
        }
        Ok(new)
    }
}

/// The profile that a purpose or an older label stands for.
fn profile(purpose: Option<&str>, label: Option<Label>, has_gateway: bool) -> Result<Grant, Failure> {
    let purpose = match (purpose, label) {
        (Some(purpose), _) => purpose,
        (None, Some(Label::Gateway)) if has_gateway => "gateway_runtime",
        (None, _) => "general",
    };
    match purpose {
        "general" | "integration" => Ok(Grant::new(purpose, "api_token")),
        "gateway_runtime" => Ok(Grant::new(purpose, "gateway_runtime")),
        _ => Err(Failure::unreadable("`purpose` is `general`, `gateway_runtime` or `integration`")),
    }
}

/// Changes of a token: what is absent stays, and `null` takes a value away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Change {
    #[serde(deserialize_with = "said")]
    description: Option<Option<String>>,
    #[serde(deserialize_with = "said")]
    not_before: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "said")]
    expires_at: Option<Option<Timestamp>>,
    expires_in: Option<String>,
    #[serde(deserialize_with = "said")]
    team_id: Option<Option<String>>,
    #[serde(deserialize_with = "said")]
    gateway_id: Option<Option<String>>,
    #[serde(deserialize_with = "said")]
    consumer_group: Option<Option<String>>,
    #[serde(deserialize_with = "said")]
    allowed_providers: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "said")]
    allowed_models: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "said")]
    scopes: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "said")]
    networks: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "said")]
    budgets: Option<Option<Vec<Allowance>>>,
}

/// A field that is there, `null` or not.
fn said<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn update<T>(said: Option<Option<T>>) -> Update<T> {
    match said {
        None => Update::Keep,
        Some(None) => Update::Clear,
        Some(Some(value)) => Update::To(value),
    }
}

impl Change {
    fn into_edit(self) -> Result<Edit, Failure> {
        let period = self.expires_in.map(|text| text.parse::<Period>()).transpose();
        Ok(Edit {
            description: update(self.description),
            not_before: update(self.not_before),
            expires_at: update(self.expires_at),
            expires_in: period.map_err(|error| Failure::unreadable(&error.to_string()))?,
            team_id: update(self.team_id),
            gateway_id: update(self.gateway_id),
            consumer_group: update(self.consumer_group),
            providers: update(self.allowed_providers),
            models: update(self.allowed_models),
            scopes: update(self.scopes),
            networks: update(self.networks),
            allowances: update(self.budgets),
        })
    }
}

/// What a token would be after a change. Of one that is not there, only the id is known: who may not change tokens
/// hears that, and only who may hears that it is not there.
async fn target(tokens: &Tokens, id: &str, edit: &Edit) -> Result<Box<Target>, Failure> {
    match tokens.find(&Selector::Id(id.to_owned())).await {
        Ok(before) => Ok(Box::new(target_of(&before, edit, tokens.now()))),
        Err(TokenError::NotFound(_)) => {
            let mut target = Target::default();
            target.id = Some(id.to_owned());
            Ok(Box::new(target))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a token would be after a change: the whole of it, so that whoever edits may give no more than he has.
fn target_of(before: &Token, edit: &Edit, now: Timestamp) -> Target {
    fn after<T: Clone>(value: &mut Option<T>, update: &Update<T>) {
        match update {
            Update::Keep => {}
            Update::Clear => *value = None,
            Update::To(new) => *value = Some(new.clone()),
        }
    }
    let mut grant = before.grant.clone();
    after(&mut grant.not_before, &edit.not_before);
    after(&mut grant.expires_at, &edit.expires_at);
    if let Some(period) = edit.expires_in {
        let millis = i64::try_from(period.duration().as_millis()).unwrap_or(i64::MAX);
        grant.expires_at = Some(Timestamp::from_millis(now.as_millis().saturating_add(millis)));
    }
    after(&mut grant.team_id, &edit.team_id);
    after(&mut grant.bindings.gateway_id, &edit.gateway_id);
    after(&mut grant.bindings.consumer_group, &edit.consumer_group);
    after(&mut grant.bindings.providers, &edit.providers);
    after(&mut grant.bindings.models, &edit.models);
    after(&mut grant.bindings.scopes, &edit.scopes);
    after(&mut grant.bindings.networks, &edit.networks);
    granted(Some(&before.id), &before.name, &grant)
}

fn granted(id: Option<&str>, name: &str, grant: &Grant) -> Target {
    let mut target = Target::default();
    target.id = id.map(str::to_owned);
    target.name = Some(name.to_owned());
    target.purpose = Some(grant.purpose.clone());
    target.principal_type = Some(grant.principal_type.clone());
    target.org_id.clone_from(&grant.org_id);
    target.team_id.clone_from(&grant.team_id);
    target.bindings = Some(grant.bindings.clone());
    target.not_before = grant.not_before;
    target.expires_at = grant.expires_at;
    target
}

/// How to rotate.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotate {
    grace: Option<String>,
    idempotency_key: Option<String>,
}

impl Rotate {
    fn into_rotation(self) -> Result<Rotation, Failure> {
        let mut rotation = Rotation { idempotency_key: self.idempotency_key, ..Rotation::default() };
        if let Some(grace) = self.grace {
            rotation.grace = grace
                .parse()
                .map_err(|error: cedargate_tokens::PeriodError| Failure::unreadable(&error.to_string()))?;
        }
        Ok(rotation)
    }
}

/// Which secret to end; all where absent.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Revoke {
    version: Option<u32>,
}
