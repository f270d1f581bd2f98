//! `kt tokens edit`.

use std::slice;

use anyhow::bail;
use cedargate::model::Timestamp;
use cedargate_tokens::{Edit, Period, Update};
use clap::{Args, ValueEnum};

use crate::answer::Answer;
use crate::store::block_on;
use crate::token::bound::{BoundArgs, Lists};
use crate::token::changed;
use crate::token::choice::TokenArg;
use crate::token::judge::JudgeArgs;

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
    #[command(flatten)]
    bound: BoundArgs,
    /// Take this away: the token is not restricted by it any more.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    clear: Vec<Clear>,
    #[command(flatten)]
    with: JudgeArgs,
}

impl EditArgs {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let edit = self.edit()?;
        if edit.is_empty() {
            bail!("nothing is to be changed: `kt tokens edit --help` shows what can be");
        }
        let judge = self.with.judge()?;
        let selector = self.token.selector();
        block_on(async {
            let opened = self.with.store.open().await?;
            let token = opened.tokens.clone().under(judge.rules()).edit(&selector, &edit).await?;
            changed::tell("changed", slice::from_ref(&token), opened.now(), self.with.output)?;
            judge.tell(&token, opened.now())?;
            Ok(Answer::Yes)
        })
    }

    fn edit(&self) -> anyhow::Result<Edit> {
        let Lists { models, providers, scopes, networks } = self.bound.lists()?;
        let BoundArgs { gateway_id, team, consumer_group, budget, .. } = &self.bound;
        Ok(Edit {
            description: self.update(Clear::Description, self.description.clone())?,
            not_before: self.update(Clear::NotBefore, self.not_before)?,
            expires_at: self.update(Clear::Expiry, self.expires_at)?,
            expires_in: self.expires_in,
            team_id: self.update(Clear::Team, team.clone())?,
            gateway_id: self.update(Clear::GatewayId, gateway_id.clone())?,
            consumer_group: self.update(Clear::ConsumerGroup, consumer_group.clone())?,
            providers: self.update(Clear::AllowedProviders, providers)?,
            models: self.update(Clear::AllowedModels, models)?,
            scopes: self.update(Clear::Scopes, scopes)?,
            networks: self.update(Clear::Networks, networks)?,
            attributes: Update::Keep,
            allowances: self.update(Clear::Budget, Some(budget.clone()).filter(|budget| !budget.is_empty()))?,
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
