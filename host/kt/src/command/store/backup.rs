//! `kt store backup`.

use std::path::PathBuf;

use cedargate_tokens::SqliteOptions;
use clap::Args;

use super::Told;
use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
A plain copy of the file of a store in use lacks what stands in the log beside it: this is how to copy it. Gateways and
other commands go on meanwhile. The copy is checked before it has its name; its owner alone may read it, since it holds
what the store holds, though no keys.

Exit codes: 0 copied and in order, 1 copied and its audit log does not fit its tokens, 2 not copied.

Examples:
  kt store backup /backup/tokens-$(date +%F).db
  kt store backup --store /var/lib/cedargate/tokens.db --replace /backup/tokens.db";

/// Copies the store to a file, while gateways use it.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Backup {
    /// The file to write.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a backup that is there. Nothing else is written over, and never a store that is in use.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let options = SqliteOptions { create: false, ..SqliteOptions::default() };
            let checked = self.store.open_sqlite(options).await?.backup(&self.file, self.replace).await?;
            Told::new(self.file.display().to_string(), &checked).print(self.output.format)?;
            Ok(Answer::yes_if(checked.log.is_ok()))
        })
    }
}
