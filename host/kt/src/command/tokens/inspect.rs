//! `kt tokens inspect`.

use cedargate::model::Timestamp;
use cedargate_tokens::Token;
use clap::Args;
use serde::Serialize;

use crate::answer::Answer;
use crate::format::Format;
use crate::store::block_on;
use crate::token::abilities::Ability;
use crate::token::choice::TokenArg;
use crate::token::judge::{Judge, JudgeArgs};
use crate::token::pretty;
use crate::token::shown::Shown;
use crate::token::table::table;
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
`--can` asks the policies about every action, from where the token is meant to be used: its own gateway, consumer group
and network. A token that is not bound to models is asked about `any model`; what is done with tokens is asked about
another token that is like it.

Examples:
  kt tokens inspect --name app-production
  kt tokens inspect --name app-production --can
  kt tokens inspect --name app-production | jq -r .last_used_at";

/// Shows a token as JSON, or what it may do.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inspect {
    #[command(flatten)]
    token: TokenArg,
    /// Show what the token may do.
    #[arg(long)]
    can: bool,
    #[command(flatten)]
    with: JudgeArgs,
}

impl Inspect {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let selector = self.token.selector();
        let judge = if self.can { Some(self.with.judge()?) } else { None };
        block_on(async {
            let opened = self.with.store.open().await?;
            let token = opened.tokens.find(&selector).await?;
            let at = opened.now();
            match (judge, self.with.output.format) {
                (Some(judge), format) => show_abilities(&judge, &token, at, format)?,
                (None, Format::Text) => stdout::print(&pretty::pretty(&Shown::new(&token, at))?)?,
                (None, Format::Json) => stdout::print(&pretty::one_line(&Shown::new(&token, at))?)?,
            }
            Ok(Answer::Yes)
        })
    }
}

#[derive(Serialize)]
struct Can<'a> {
    v: u8,
    id: &'a str,
    name: &'a str,
    policy_set: &'a str,
    can: Vec<CanDo<'a>>,
}

#[derive(Serialize)]
struct CanDo<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    decision: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> CanDo<'a> {
    fn new(ability: &'a Ability) -> Self {
        let Ability { action, model, decision } = ability;
        Self {
            action,
            model: model.as_deref(),
            decision: if decision.is_allow() { "allow" } else { "deny" },
            status: decision.status(),
            code: decision.code(),
        }
    }

    fn row(&self) -> [String; 3] {
        let decision = match self.code {
            None => self.decision.to_owned(),
            Some(code) => format!("{} {} {code}", self.decision, self.status),
        };
        [self.action.to_owned(), self.model.unwrap_or("-").to_owned(), decision]
    }
}

fn show_abilities(judge: &Judge, token: &Token, at: Timestamp, format: Format) -> anyhow::Result<()> {
    // A token without a current secret is asked about as its newest secret would be.
    let Some(secret) = token.current_secret().or_else(|| token.secrets.last()) else {
        stderr::say(format_args!("the token has no key"));
        return Ok(());
    };
    let abilities = judge.abilities(token, &token.profile(secret), at)?;
    let can: Vec<_> = abilities.iter().map(CanDo::new).collect();
    match format {
        Format::Text => {
            let rows: Vec<_> = can.iter().map(CanDo::row).collect();
            stdout::print(&table(["ACTION", "MODEL", "DECISION"], &rows))
        }
        Format::Json => {
            let policy_set = abilities.first().map_or("", |ability| ability.decision.policy_set());
            stdout::print(&pretty::one_line(&Can { v: 1, id: &token.id, name: &token.name, policy_set, can })?)
        }
    }
}
