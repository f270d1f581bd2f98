//! `kt tokens disable` and `kt tokens enable`.

use clap::Args;

use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::changed;
use crate::token::choice::TokenArg;
use crate::token::output::OutputArg;

/// The token that is switched.
#[derive(Args, Debug)]
pub(crate) struct Switch {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Switch {
    /// Off: its keys are denied with 401 until it is on again.
    pub(crate) fn run(self, on: bool) -> anyhow::Result<Answer> {
        let selector = self.token.selector();
        block_on(async {
            let opened = if on { self.store.open().await? } else { self.store.open_to_end().await? };
            let (done, token) = if on {
                ("enabled", opened.tokens.enable(&selector).await?)
            } else {
                ("disabled", opened.tokens.disable(&selector).await?)
            };
            changed::tell(done, &[token], opened.now(), self.output)?;
            Ok(Answer::Yes)
        })
    }
}
