//! `kt tokens edit`.

use std::slice;

use anyhow::bail;
use cedargate::model::Timestamp;
use cedargate_tokens::{Allowance, Edit, Period, Update};
use clap::{Args, ValueEnum};

use crate::answer::Answer;
use crate::policies::PoliciesArg;
use crate::store::{StoreArg, block_on};
use crate::token::changed;
use crate::token::choice::TokenArg;
use crate::token::judge::Judge;
use crate::token::lists::optional;
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
A list replaces the one that was there. Gateways see the change within a second.

Examples:
  kt tokens edit --name app-production --expires-in 30d
  kt tokens edit --name frontend-only --allowed-models gpt-4o-mini
  kt tokens edit --name frontend-only --clear allowed-models --clear consumer-group";

/// What may be taken away from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clear {
    AllowedModels,
    AllowedProviders,
    Budget,
    ConsumerGroup,
    Description,
    Expiry,
    GatewayId,
    Networks,
    NotBefore,
    Scopes,
    Team,
}

/// Changes what a token may do, or how long it lives.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    token: TokenArg,
    /// What it is for, in words.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long it lives from now on: `90d`, `24h`.
    #[arg(long, value_name = "PERIOD", conflicts_with = "expires_at")]
    expires_in: Option<Period>,
    /// When it expires.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// From when on it is valid.
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// Models that it may use.
    #[arg(long, value_name = "MODEL,...")]
    allowed_models: Vec<String>,
    /// Providers that it may use.
    #[arg(long, value_name = "PROVIDER,...")]
    allowed_providers: Vec<String>,
    /// The only gateway that it works at.
    #[arg(long, value_name = "ID")]
    gateway_id: Option<String>,
    /// The team that its traffic belongs to.
    #[arg(long)]
    team: Option<String>,
    /// The only consumer group that it works for.
    #[arg(long, value_name = "GROUP")]
    consumer_group: Option<String>,
    /// Its scopes.
    #[arg(long, value_name = "SCOPE,...")]
    scopes: Vec<String>,
    /// Networks that it may be used from.
    #[arg(long, value_name = "NETWORK,...")]
    networks: Vec<String>,
    /// Its budgets and rates, all of them.
    #[arg(long, value_name = "BUDGET,...", value_delimiter = ',')]
    budget: Vec<Allowance>,
    /// Take this away: the token is not restricted by it any more.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    clear: Vec<Clear>,
    #[command(flatten)]
    policies: PoliciesArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl EditArgs {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let edit = self.edit()?;
        if edit.is_empty() {
            bail!("nothing is to be changed: `kt tokens edit --help` shows what can be");
        }
        let judge = Judge::load(&self.policies, &self.store)?;
        let selector = self.token.selector();
        block_on(async {
            let opened = self.store.open().await?;
            let token = opened.tokens.clone().under(judge.rules()).edit(&selector, &edit).await?;
            changed::tell("changed", slice::from_ref(&token), opened.now(), self.output)?;
            judge.tell(&token, opened.now())?;
            Ok(Answer::Yes)
        })
    }

    fn edit(&self) -> anyhow::Result<Edit> {
        Ok(Edit {
            description: self.update(Clear::Description, self.description.clone())?,
            not_before: self.update(Clear::NotBefore, self.not_before)?,
            expires_at: self.update(Clear::Expiry, self.expires_at)?,
            expires_in: self.expires_in,
            team_id: self.update(Clear::Team, self.team.clone())?,
            gateway_id: self.update(Clear::GatewayId, self.gateway_id.clone())?,
            consumer_group: self.update(Clear::ConsumerGroup, self.consumer_group.clone())?,
            providers: self
                .update(Clear::AllowedProviders, optional("--allowed-providers", &self.allowed_providers)?)?,
            models: self.update(Clear::AllowedModels, optional("--allowed-models", &self.allowed_models)?)?,
            scopes: self.update(Clear::Scopes, optional("--scopes", &self.scopes)?)?,
            networks: self.update(Clear::Networks, optional("--networks", &self.networks)?)?,
            allowances: self.update(Clear::Budget, Some(self.budget.clone()).filter(|budget| !budget.is_empty()))?,
        })
    }

    fn update<T>(&self, what: Clear, value: Option<T>) -> anyhow::Result<Update<T>> {
        match (self.clear.contains(&what), value) {
            (true, Some(_)) => bail!("one thing cannot be set and taken away at once: {what:?}"),
            (true, None) => Ok(Update::Clear),
            (false, Some(value)) => Ok(Update::To(value)),
            (false, None) => Ok(Update::Keep),
        }
    }
}
