//! `kt tokens create`: a token and its key.

use clap::Args;

use crate::answer::Answer;
use crate::format::Format;
use crate::policies::PoliciesArg;
use crate::store::{StoreArg, block_on};
use crate::token::grant::GrantArgs;
use crate::token::judge::Judge;
use crate::token::key::NewKey;
use crate::token::output::OutputArg;
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
What a token may do follows from its purpose and from what it is bound to, never from its type: `--type access` is
purpose `general`, `--type gateway` is purpose `gateway_runtime` with `--gateway-id` and `general` without.

The key is printed once, and only its SHA-256 is kept. `$CEDARGATE_EXPIRY_MAX` (for example `90d`) bounds the life of
new tokens.

Examples:
  kt tokens create --type access --name ci-pipeline-prod --expires-in 90d
  kt tokens create --purpose general --name frontend-only --allowed-models gpt-4o,gpt-4o-mini --team frontend
  kt tokens create --purpose gateway_runtime --gateway-id gw-east --name gw-east-runtime --output json | jq -r .key";

/// Makes a token, and shows its key for the only time.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Create {
    #[command(flatten)]
    grant: GrantArgs,
    #[command(flatten)]
    policies: PoliciesArg,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Create {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let new = self.grant.new_token()?;
        let judge = Judge::load(&self.policies, &self.store)?;
        block_on(async {
            let opened = self.store.open_or_make().await?;
            let created = opened.tokens.clone().under(judge.rules()).create(new).await?;
            let key = NewKey::new(&created.token, &created.secret, 1, None);
            match self.output.format {
                Format::Json => stdout::print_json(&key)?,
                Format::Text => stdout::print(&key.words(created.token.label, "created"))?,
            }
            stderr::say(format_args!("id: {}", created.token.id));
            judge.tell(&created.token, opened.now())?;
            Ok(Answer::Yes)
        })
    }
}
