//! `kt tokens revoke`.

use anyhow::bail;
use cedargate_tokens::{Choice, Selector};
use clap::Args;

use crate::answer::Answer;
use crate::stderr;
use crate::store::{Opened, StoreArg, block_on};
use crate::token::changed;
use crate::token::filter::FilterArg;
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
Requests that were admitted go on; the next one is denied with 401 as soon as a gateway has seen it, which takes a
fifth of a second, and a second at most. Several tokens are revoked together or not at all.

Examples:
  kt tokens revoke --name dev-prototyping
  kt tokens revoke --name app-production --version 1
  kt tokens revoke --name ci-1 --name ci-2
  kt tokens revoke --filter unused_for=30d --dry-run";

/// Ends tokens, or one key of a token, at once and for ever.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Revoke {
    /// The name of a token.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// The id of a token.
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// End only this key of the token.
    #[arg(long, value_name = "N", conflicts_with = "dry_run")]
    version: Option<u32>,
    #[command(flatten)]
    filter: FilterArg,
    /// Only show which tokens would be revoked.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Revoke {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let named: Vec<Selector> =
            self.name.into_iter().map(Selector::Name).chain(self.id.into_iter().map(Selector::Id)).collect();
        let choice = match (named.is_empty(), self.filter.is_empty()) {
            (true, true) => bail!("say which tokens to revoke with `--name`, `--id` or `--filter`"),
            (false, false) => bail!("`--filter` chooses by itself: leave `--name` and `--id` out"),
            (false, true) => Choice::Named(named),
            (true, false) => Choice::Matching(self.filter.parse()?),
        };
        block_on(async {
            let opened = self.store.open_to_end().await?;
            match (&choice, self.version) {
                (Choice::Named(named), version) if named.len() == 1 && !self.dry_run => {
                    revoke_one(&opened, named, version, self.output).await
                }
                (_, Some(_)) => bail!("`--version` ends one key of one token: name that token"),
                (choice, None) => {
                    let tokens = opened.tokens.revoke_many(choice, self.dry_run).await?;
                    let done = if self.dry_run { "would be revoked" } else { "revoked" };
                    changed::tell(done, &tokens, opened.now(), self.output)?;
                    stderr::say(format_args!("{done}: {}", tokens.len()));
                    Ok(Answer::Yes)
                }
            }
        })
    }
}

async fn revoke_one(
    opened: &Opened,
    named: &[Selector],
    version: Option<u32>,
    output: OutputArg,
) -> anyhow::Result<Answer> {
    for selector in named {
        let token = opened.tokens.revoke(selector, version).await?;
        let done = version.map_or_else(|| "revoked".to_owned(), |version| format!("revoked key {version} of"));
        changed::tell(&done, &[token], opened.now(), output)?;
    }
    Ok(Answer::Yes)
}
