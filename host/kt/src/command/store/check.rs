//! `kt store check`.

use std::path::PathBuf;

use cedargate_tokens::{IfReplaced, SqliteOptions, SqliteStore};
use clap::Args;

use super::Told;
use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::output::OutputArg;

const AFTER_HELP: &str = "\
Exit codes: 0 in order, 1 the audit log does not fit the tokens, 2 the file cannot be used: it is damaged, or lacks the
log beside it.

Examples:
  kt store check
  kt store check /backup/tokens.db";

/// Looks whether the store is sound, and whether its audit log fits its tokens.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Check {
    /// A backup to look at in place of the store.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        block_on(async {
            let (store, file) = match self.file {
                Some(file) => {
                    let options = SqliteOptions { create: false, read_only: true, ..SqliteOptions::default() };
                    (SqliteStore::open(&file, options).await?, file)
                }
                None => {
                    let if_replaced = IfReplaced::Await;
                    let options = SqliteOptions { create: false, if_replaced, ..SqliteOptions::default() };
                    (self.store.open_sqlite(options).await?, self.store.path()?)
                }
            };
            let checked = store.check().await;
            store.close().await;
            let checked = checked?;
            Told::new(file.display().to_string(), &checked).print(self.output.format)?;
            Ok(Answer::yes_if(checked.log.is_ok()))
        })
    }
}
