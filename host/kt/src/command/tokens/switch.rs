//! `kt tokens disable` and `kt tokens enable`.

use clap::Args;

use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::changed;
use crate::token::choice::TokenArg;
use crate::token::output::OutputArg;

/// Switches a token off: its keys are denied with 401 until it is enabled.
#[derive(Args, Debug)]
pub(crate) struct Disable {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Disable {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let opened = self.store.open().await?;
            let token = opened.tokens.disable(&self.token.selector()).await?;
            changed::tell("disabled", &[token], opened.now(), self.output)?;
            Ok(Answer::Yes)
        })
    }
}

/// Switches a token on again.
#[derive(Args, Debug)]
pub(crate) struct Enable {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Enable {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let opened = self.store.open().await?;
            let token = opened.tokens.enable(&self.token.selector()).await?;
            changed::tell("enabled", &[token], opened.now(), self.output)?;
            Ok(Answer::Yes)
        })
    }
}
