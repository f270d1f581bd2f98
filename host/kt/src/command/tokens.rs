//! `kt tokens`: tokens from their making to their end.

mod create;
mod edit;
mod export;
mod import;
mod inspect;
mod list;
mod revoke;
mod rotate;
mod switch;

use clap::Subcommand;

use crate::answer::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token, and show its key for the only time.
    Create(create::Create),
    /// List tokens.
    List(list::List),
    /// Show a token, and what it may do.
    Inspect(inspect::Inspect),
    /// Change what a token may do, or how long it lives.
    Edit(edit::EditArgs),
    /// Switch a token off for now.
    Disable(switch::Switch),
    /// Switch a token on again.
    Enable(switch::Switch),
    /// Give a token a new key; the old one is accepted for a while.
    Rotate(rotate::Rotate),
    /// End tokens, or one key of a token, at once and for ever.
    Revoke(revoke::Revoke),
    /// Write what is known of tokens, without their keys.
    Export(export::Export),
    /// Make a token for a key of another system.
    Import(import::Import),
}

impl Tokens {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Create(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Edit(command) => command.run(),
            Self::Disable(command) => command.run(false),
            Self::Enable(command) => command.run(true),
            Self::Rotate(command) => command.run(),
            Self::Revoke(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Import(command) => command.run(),
        }
    }
}
