//! `kt tokens export`.

use std::io::Write;

use anyhow::Context;
use cedargate_tokens::{Selector, csv_header, csv_row};
use clap::{Args, ValueEnum};

use crate::answer::Answer;
use crate::store::{StoreArg, block_on};
use crate::token::filter::FilterArg;
use crate::{stderr, stdout};

const AFTER_HELP: &str = "\
What would be a formula in a spreadsheet has an apostrophe before it. The head of the audit log is printed to standard
error: kept with the export, it shows later that the log was not changed (`kt audit verify --head`).

Examples:
  kt tokens export --format csv > tokens.csv
  kt tokens export --filter status=active
  kt tokens export --name ci-1 --name ci-2";

/// The forms of an export.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// Comma-separated values with a head.
    Csv,
}

/// Writes what is known of tokens, without their keys.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Export {
    /// In which form to write.
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t = ExportFormat::Csv)]
    format: ExportFormat,
    /// Only the token with this name.
    #[arg(long, value_name = "NAME", conflicts_with = "filter")]
    name: Vec<String>,
    /// Only the token with this id.
    #[arg(long, value_name = "ID", conflicts_with = "filter")]
    id: Vec<String>,
    #[command(flatten)]
    filter: FilterArg,
    #[command(flatten)]
    store: StoreArg,
}

impl Export {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let ExportFormat::Csv = self.format;
        let filter = self.filter.parse()?;
        let named = self.name.into_iter().map(Selector::Name).chain(self.id.into_iter().map(Selector::Id));
        let named: Vec<_> = named.collect();
        block_on(async {
            let opened = self.store.open().await?;
            let head = opened.tokens.audit_head().await?;
            let at = opened.now();
            // Who misspells one of several names gets no part of what was asked for.
            let mut chosen = Vec::new();
            for selector in &named {
                chosen.push(opened.tokens.find(selector).await?);
            }
            let mut out = stdout::buffered();
            let mut write = |line: String| writeln!(out, "{line}").context(stdout::CANNOT_WRITE);
            write(csv_header())?;
            chosen.iter().try_for_each(|token| write(csv_row(token, at)))?;
            let mut after = Some(0).filter(|_| named.is_empty());
            while let Some(place) = after {
                let (tokens, next) = opened.tokens.page(&filter, place).await?;
                tokens.iter().try_for_each(|token| write(csv_row(token, at)))?;
                after = next;
            }
            out.flush().context(stdout::CANNOT_WRITE)?;
            if let Some(head) = head {
                stderr::say(format_args!("audit head: {head}"));
            }
            Ok(Answer::Yes)
        })
    }
}
