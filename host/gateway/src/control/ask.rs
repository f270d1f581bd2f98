//! What a request of the control plane asks for, read from its query and its JSON.

use cedargate_tokens::{Allowance, Edit, EnvSegment, Grant, Label, NewToken, Period, Rotation, TokenFilter, Update};

use super::answer::Failure;
use super::body::Said;
use super::route::Operation;

/// What is asked for, as far as it could be read, and what could not.
pub(super) struct Asked {
    pub(super) deed: Deed,
    /// Answered only to who may do it.
    pub(super) mistake: Option<Failure>,
}

/// What is asked for.
pub(super) enum Deed {
    List(Listing),
    Create(Box<NewToken>),
    Inspect(String),
    Edit(String, Box<Edit>),
    Rotate(String, Rotation),
    Revoke(String, Option<u32>),
    Disable(String),
    Enable(String),
}

/// Which tokens are listed.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) filter: TokenFilter,
    /// The id of the token after which the list goes on.
    pub(super) after: Option<String>,
}

impl Deed {
    /// Whether it may be a call that is sent again.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self, Self::Rotate(_, rotation) if rotation.idempotency_key.is_some())
    }

    /// The action that policies know.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::List(_) => "tokens.list",
            Self::Create(_) => "tokens.create",
            Self::Inspect(_) => "tokens.inspect",
            Self::Edit(..) | Self::Disable(_) | Self::Enable(_) => "tokens.edit",
            Self::Rotate(..) => "tokens.rotate",
            Self::Revoke(..) => "tokens.revoke",
        }
    }

    /// The token that is meant.
    pub(super) fn token_id(&self) -> Option<&str> {
        match self {
            Self::List(_) | Self::Create(_) => None,
            Self::Inspect(id)
            | Self::Edit(id, _)
            | Self::Rotate(id, _)
            | Self::Revoke(id, _)
            | Self::Disable(id)
            | Self::Enable(id) => Some(id),
        }
    }
}

impl Asked {
    /// Reads a request. `body` is why there is none, where it could not be received.
    pub(super) fn read(operation: Operation, query: Option<&str>, body: Result<&[u8], Failure>) -> Self {
        let must = |body: Result<_, _>| body.map_or_else(|mistake| Said::nothing(Some(mistake)), Said::read);
        let may = |body: Result<_, _>| body.map_or_else(|mistake| Said::nothing(Some(mistake)), Said::read_if_there);
        match operation {
            Operation::List => listing(query.unwrap_or_default()),
            Operation::Inspect(id) => Self { deed: Deed::Inspect(id), mistake: None },
            Operation::Create => create(must(body)),
            Operation::Edit(id) => edit(id, must(body)),
            Operation::Rotate(id) => rotate(id, may(body)),
            Operation::Revoke(id) => {
                let mut said = may(body);
                let version = said.value("version");
                Self { deed: Deed::Revoke(id, version), mistake: said.mistake() }
            }
            Operation::Disable(id) => Self { deed: Deed::Disable(id), mistake: None },
            Operation::Enable(id) => Self { deed: Deed::Enable(id), mistake: None },
        }
    }
}

/// Conditions in a query, and the place to go on after: `type=gateway&status=active&after=tok_...`.
fn listing(query: &str) -> Asked {
    let mut listing = Listing::default();
    let mut mistake = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let wrong = match pair.strip_prefix("after=") {
            _ if pair.contains(['%', '+']) => Some("the query holds an encoding: filter by plain words".to_owned()),
            Some(id) if listing.after.is_none() => {
                listing.after = Some(id.to_owned());
                None
            }
            Some(_) => Some("`after` stands twice".to_owned()),
            None => listing.filter.add(pair).err().map(|error| error.to_string()),
        };
        if let Some(wrong) = wrong {
            mistake.get_or_insert_with(|| Failure::unreadable(&wrong));
        }
    }
    Asked { deed: Deed::List(listing), mistake }
}

/// A token to be made.
fn create(mut said: Said<'_>) -> Asked {
    let name = said.text("name");
    if name.is_none() {
        said.mistaken("`name` is missing");
    }
    let label = said.parsed::<Label>("token_type");
    let gateway_id = said.id("gateway_id");
    let mut grant = profile(said.text("purpose"), label, gateway_id.is_some());
    grant.org_id = said.id("org_id");
    grant.team_id = said.id("team_id");
    grant.not_before = said.value("not_before");
    grant.expires_at = said.value("expires_at");
    grant.bindings.gateway_id = gateway_id;
    grant.bindings.consumer_group = said.id("consumer_group");
    grant.bindings.providers = said.value("allowed_providers");
    grant.bindings.models = said.value("allowed_models");
    grant.bindings.scopes = said.value("scopes");
    grant.bindings.networks = said.value("networks");
    grant.attributes = said.value("attributes");
    let mut new = NewToken::new(name.unwrap_or_default(), grant);
    new.description = said.value("description");
    new.label = label;
    new.allowances = said.value::<Vec<Allowance>>("budgets").unwrap_or_default();
    new.expires_in = said.parsed::<Period>("expires_in");
    if new.expires_in.is_some() && new.grant.expires_at.is_some() {
        said.mistaken(TWO_EXPIRIES);
    }
    new.env = said.parsed::<EnvSegment>("env").unwrap_or_default();
    Asked { deed: Deed::Create(Box::new(new)), mistake: said.mistake() }
}

/// The profile that a purpose or an older label stands for. Which purposes there are is looked at once it is decided
/// whether they may be granted.
fn profile(purpose: Option<String>, label: Option<Label>, has_gateway: bool) -> Grant {
    let purpose = match (purpose, label) {
        (Some(purpose), _) => purpose,
        (None, Some(Label::Gateway)) if has_gateway => "gateway_runtime".to_owned(),
        (None, _) => "general".to_owned(),
    };
    let principal_type = if purpose == "gateway_runtime" { "gateway_runtime" } else { "api_token" };
    Grant::new(purpose, principal_type)
}

const TWO_EXPIRIES: &str = "`expires_at` and `expires_in` say the same thing: write one of them";

/// Changes of a token: what is absent stays, and `null` takes a value away.
fn edit(id: String, mut said: Said<'_>) -> Asked {
    let edit = Edit {
        description: said.update("description"),
        not_before: said.update("not_before"),
        expires_at: said.update("expires_at"),
        expires_in: said.parsed::<Period>("expires_in"),
        team_id: said.id_update("team_id"),
        gateway_id: said.id_update("gateway_id"),
        consumer_group: said.id_update("consumer_group"),
        providers: said.update("allowed_providers"),
        models: said.update("allowed_models"),
        scopes: said.update("scopes"),
        networks: said.update("networks"),
        allowances: said.update("budgets"),
        attributes: said.update("attributes"),
    };
    if edit.expires_in.is_some() && !matches!(edit.expires_at, Update::Keep) {
        said.mistaken(TWO_EXPIRIES);
    }
    Asked { deed: Deed::Edit(id, Box::new(edit)), mistake: said.mistake() }
}

/// How to rotate.
fn rotate(id: String, mut said: Said<'_>) -> Asked {
    let mut rotation = Rotation { idempotency_key: said.value("idempotency_key"), ..Rotation::default() };
    if let Some(grace) = said.parsed("grace") {
        rotation.grace = grace;
    }
    Asked { deed: Deed::Rotate(id, rotation), mistake: said.mistake() }
}
