//! `kt tokens rotate`.

use cedargate_tokens::{GRACE_DEFAULT, Period, Rotation};
use clap::Args;

use crate::answer::Answer;
use crate::stderr;
use crate::store::{StoreArg, block_on};
use crate::token::choice::TokenArg;
use crate::token::key::NewKey;
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
Id, budgets and history of the token stay. Both keys are accepted until the grace period ends; then the old one is
denied with 401. At most three keys of a token are accepted at a time.

With `--idempotency-key`, the command may be repeated within a day where its answer was lost: the key that the first
call made stops working, a new one is printed, and the grace of the old one still counts from the first call. Where
that key was used meanwhile, or was made less than 5 seconds ago by a call whose answer may still be on its way, the
command fails and changes nothing: of calls at the same time, one prints a key, and that key works.

Examples:
  kt tokens rotate --name app-production
  kt tokens rotate --name app-production --grace 0
  kt tokens rotate --name app-production --idempotency-key \"deploy-$BUILD\" --output json | jq -r .key";

/// Gives a token a new key; the old one is accepted for a while.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Rotate {
    #[command(flatten)]
    token: TokenArg,
    /// How long the old key is accepted: `24h`, `0`.
    #[arg(long, value_name = "PERIOD", default_value_t = GRACE_DEFAULT)]
    grace: Period,
    /// Makes the call safe to repeat.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Rotate {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let rotation = Rotation { grace: self.grace, idempotency_key: self.idempotency_key };
        let selector = self.token.selector();
        block_on(async {
            let opened = self.store.open().await?;
            let rotated = opened.tokens.rotate(&selector, &rotation).await?;
            let key = NewKey::new(&rotated.token, &rotated.secret, rotated.version, rotated.grace_until);
            key.print(rotated.token.label, "rotated", self.output.format)?;
            if let Some(replaced) = rotated.replaced {
                stderr::say(format_args!(
                    "key {replaced}, which an earlier call with this idempotency key made, has ended"
                ));
            }
            Ok(Answer::Yes)
        })
    }
}
