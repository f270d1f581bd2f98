//! `kt store restore`.

use std::path::PathBuf;

use cedargate_tokens::restore;
use clap::Args;

use super::Told;
use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
The backup is checked first. Gateways that use the store have to be ended: while one has it open, nothing is changed.
The file that was there is kept beside it, as `FILE.replaced-TIME`.

Examples:
  kt store restore /backup/tokens-2026-04-23.db
  kt store restore --store /var/lib/cedargate/tokens.db /backup/tokens.db";

/// Puts a backup in the place of the store.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let path = self.store.path()?;
            let restored = restore(&self.file, &path).await?;
            let mut told = Told::new(path.display().to_string(), &restored.checked);
            told.kept = restored.kept.map(|kept| kept.display().to_string());
            told.print(self.output.format)?;
            Ok(Answer::Yes)
        })
    }
}
