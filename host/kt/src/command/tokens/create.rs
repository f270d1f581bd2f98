//! `kt tokens create`: a token and its key.

use clap::Args;

use crate::answer::Answer;
use crate::stderr;
use crate::store::block_on;
use crate::token::grant::GrantArgs;
use crate::token::judge::JudgeArgs;
use crate::token::key::NewKey;

const AFTER_HELP: &str = "\
What a token may do follows from its purpose and from what it is bound to, never from its type: `--type access` is
purpose `general`, `--type gateway` is purpose `gateway_runtime` with `--gateway-id` and `general` without.

The key is printed once, and only its SHA-256 is kept. `$CEDARGATE_EXPIRY_MAX` (for example `90d`) bounds the life of
new tokens. Secret scanners find keys by the regular expression

  \\bkt_(?:(?:ak|gk)_)?[a-z][a-z0-9]{0,15}_[0-9A-Za-z]{59}\\b

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
    with: JudgeArgs,
}

impl Create {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let new = self.grant.new_token()?;
        let judge = self.with.judge()?;
        block_on(async {
            let opened = self.with.store.open_or_make().await?;
            let created = opened.tokens.clone().under(judge.rules()).create(new).await?;
            let key = NewKey::new(&created.token, &created.secret, 1, None);
            key.print(created.token.label, "created", self.with.output.format)?;
            stderr::say(format_args!("id: {}", created.token.id));
            judge.tell(&created.token, opened.now())?;
            Ok(Answer::Yes)
        })
    }
}
