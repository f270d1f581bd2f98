//! What a new token shall be, as it is typed.

use anyhow::bail;
use cedargate::model::Timestamp;
use cedargate_tokens::{EnvSegment, Grant, Label, NewToken, Period};
use clap::{Args, ValueEnum};

use super::bound::{BoundArgs, Lists};

/// The older labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenType {
    /// An access key: purpose `general`.
    Access,
    /// A gateway key: purpose `gateway_runtime` with `--gateway-id`, else `general`.
    Gateway,
}

impl TokenType {
    pub(crate) fn label(self) -> Label {
        match self {
            Self::Access => Label::Access,
            Self::Gateway => Label::Gateway,
        }
    }
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// An app, a script, an editor, a browser, `curl`: requests to models.
    #[value(name = "general")]
    General,
    /// A gateway's own process: reports events and fetches configuration of one gateway.
    #[value(name = "gateway_runtime", alias = "gateway-runtime")]
    GatewayRuntime,
    /// A machine at the control plane, with the scopes that are named.
    #[value(name = "integration")]
    Integration,
}

impl Purpose {
    fn grant(self) -> Grant {
        match self {
            Self::General => Grant::general(),
            Self::GatewayRuntime => Grant::new("gateway_runtime", "gateway_runtime"),
            Self::Integration => Grant::new("integration", "api_token"),
        }
    }
}

/// What a token shall be.
#[derive(Args, Debug)]
pub(crate) struct GrantArgs {
    /// The older label of the token.
    #[arg(long = "type", value_enum, value_name = "TYPE", required_unless_present = "purpose")]
    kind: Option<TokenType>,
    /// What the token is for. Says outright what `--type` only suggests.
    #[arg(long, value_enum)]
    purpose: Option<Purpose>,
    /// A name for people, unique among live tokens.
    #[arg(long)]
    name: String,
    /// What it is for, in words.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long it lives: `90d`, `24h`. Default: for ever.
    #[arg(long, value_name = "PERIOD", conflicts_with = "expires_at")]
    expires_in: Option<Period>,
    /// When it expires: `2026-07-22T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// From when on it is valid.
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// Where it is used; shows in the key: `prod` in `kt_ak_prod_...`. Default: `live`.
    #[arg(long, value_name = "SEGMENT")]
    env: Option<EnvSegment>,
    #[command(flatten)]
    bound: BoundArgs,
    /// The organization that it belongs to.
    #[arg(long)]
    org: Option<String>,
}

impl GrantArgs {
    pub(crate) fn new_token(self) -> anyhow::Result<NewToken> {
        let purpose = match (self.purpose, self.kind) {
            (Some(purpose), _) => purpose,
            (None, Some(TokenType::Gateway)) if self.bound.gateway_id.is_some() => Purpose::GatewayRuntime,
            (None, Some(_)) => Purpose::General,
            (None, None) => bail!("say what the token is for with `--purpose` or `--type`"),
        };
        let Lists { models, providers, scopes, networks } = self.bound.lists()?;
        let mut grant = purpose.grant();
        grant.org_id = self.org;
        grant.team_id = self.bound.team;
        grant.not_before = self.not_before;
        grant.expires_at = self.expires_at;
        grant.bindings.gateway_id = self.bound.gateway_id;
        grant.bindings.consumer_group = self.bound.consumer_group;
        grant.bindings.models = models;
        grant.bindings.providers = providers;
        grant.bindings.scopes = scopes;
        grant.bindings.networks = networks;
        let mut new = NewToken::new(self.name, grant);
        new.description = self.description;
        new.label = self.kind.map(TokenType::label);
        new.env = self.env.unwrap_or_default();
        new.expires_in = self.expires_in;
        new.allowances = self.bound.budget;
        Ok(new)
    }
}
