//! `kt tokens import`.

use std::io::{self, Read};
use std::slice;

use anyhow::{Context, bail};
use cedargate_tokens::{KnownSecret, PRESENTED_BYTES_MAX, Secret, SecretHash};
use clap::Args;

use crate::answer::Answer;
use crate::store::block_on;
use crate::token::changed;
use crate::token::grant::GrantArgs;
use crate::token::judge::JudgeArgs;

const AFTER_HELP: &str = "\
Clients keep the keys that they have. A key that has ended is imported, too, and then revoked: what is known as ended is
never taken for somebody else's.

Examples:
  kt tokens import --type access --name old-ci --hash \"$(printf %s \"$KEY\" | sha256sum | cut -d' ' -f1)\"
  kt tokens import --type access --name old-ci --key-from-stdin < key.txt";

/// Makes a token for a key of another system.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Import {
    /// The SHA-256 of the whole key, in hexadecimal digits.
    #[arg(long, value_name = "SHA256", required_unless_present = "key_from_stdin")]
    hash: Option<String>,
    /// Read the key from standard input.
    #[arg(long, conflicts_with = "hash")]
    key_from_stdin: bool,
    #[command(flatten)]
    grant: GrantArgs,
    #[command(flatten)]
    with: JudgeArgs,
}

impl Import {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let secret = match self.hash {
            // Not parsed with the other arguments: an error of theirs would repeat a key that was given in its place.
            Some(hash) => KnownSecret::Hash(hash.parse::<SecretHash>().context("`--hash` cannot be used")?),
            None => KnownSecret::Secret(read_key()?),
        };
        let new = self.grant.new_token()?;
        let judge = self.with.judge()?;
        block_on(async {
            let opened = self.with.store.open_or_make().await?;
            let token = opened.tokens.clone().under(judge.rules()).import(new, &secret).await?;
            changed::tell("imported", slice::from_ref(&token), opened.now(), self.with.output)?;
            judge.tell(&token, opened.now())?;
            Ok(Answer::Yes)
        })
    }
}

/// The key on standard input, without the line end that an editor leaves.
fn read_key() -> anyhow::Result<Secret> {
    let limit = u64::try_from(PRESENTED_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut text = String::new();
    io::stdin().take(limit).read_to_string(&mut text).context("the key cannot be read from standard input")?;
    let key = text.strip_suffix('\n').unwrap_or(&text);
    let key = key.strip_suffix('\r').unwrap_or(key);
    match Secret::parse(key) {
        Ok(secret) => Ok(secret),
        Err(malformed) => bail!("the key on standard input cannot be used: {malformed}"),
    }
}
