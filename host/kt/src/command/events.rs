//! `kt events tail`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use cedargate_tokens::{Event, EventFilter};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::answer::Answer;
use crate::format::Format;
use crate::stdout;
use crate::store::{StoreArg, block_on};
use crate::token::line::line;
use crate::token::output::OutputArg;
use crate::token::pretty;

/// Between two looks for new events.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Events that are fetched at a time while following.
const PAGE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Show the last events, and follow them.
    Tail(Tail),
}

impl Events {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Tail(command) => command.run(),
        }
    }
}

const AFTER_HELP: &str = "\
A line says when, which provider, what was asked for, whose key, which team, and what became of it. Blanks in names are
written as `%20`, so that a name cannot pretend to be the rest of the line. `PASS` was admitted and answered; `DENY` was
refused, with status and code; `ADMITTED FAIL` was admitted and answered with an error: the status is the provider's, or
the gateway's where a code stands behind it. `WOULD-PASS` and `WOULD-DENY` are what candidate policies say that are tried beside those in
force.

Examples:
  kt events tail
  kt events tail --filter token_name=app-production-v2 --limit 5
  kt events tail --follow --filter decision=deny --format json";

/// Shows the last events, oldest first, and follows them.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Tail {
    /// Only events of which this is true: `token_name=...`, `token_id=...`, `team=...`, `decision=allow|deny`,
    /// `code=...`, `action=...`, `provider=...`, `model=...`, `would_flip=true|false`. Several must all be true.
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<String>,
    /// How many of the last events to show.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on with events as they come.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Serialize)]
struct Numbered<'a> {
    number: i64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Tail {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let mut filter = EventFilter::default();
        for condition in &self.filter {
            filter.add(condition)?;
        }
        block_on(async {
            let store = self.store.open().await?.store;
            let mut out = stdout::buffered();
            // Where following begins is known before the last events are: none between is missed.
            let newest = store.events(&EventFilter::default(), None, 1).await?;
            let mut seen = newest.last().map_or(0, |(number, _)| *number);
            let last = store.events(&filter, None, self.limit).await?;
            seen = last.last().map_or(seen, |(number, _)| seen.max(*number));
            self.print(&mut out, &last)?;
            if !self.follow {
                return Ok(Answer::Yes);
            }
            loop {
                let next = store.events(&filter, Some(seen), PAGE).await?;
                seen = next.last().map_or(seen, |(number, _)| *number);
                self.print(&mut out, &next)?;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
    }

    fn print(&self, out: &mut dyn Write, events: &[(i64, Event)]) -> anyhow::Result<()> {
        for (number, event) in events {
            let text = match self.output.format {
                Format::Text => line(event),
                Format::Json => pretty::one_line(&Numbered { number: *number, event })?,
            };
            writeln!(out, "{text}").context(stdout::CANNOT_WRITE)?;
        }
        out.flush().context(stdout::CANNOT_WRITE)
    }
}
