//! The command line of cedargate, `kt`.

mod answer;
mod bench;
mod cache;
mod clean;
mod command;
mod format;
mod own_file;
mod policies;
mod replay;
mod report;
mod ruling;
mod stderr;
mod stdout;
mod store;
mod token;
mod words;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// What one thread frees is mostly what another one allocated: a gateway's threads pass requests on to a store's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let answer = match command::Cli::try_parse() {
        Ok(cli) => cli.run().unwrap_or_else(|error| stderr::fail(&error)),
        Err(error) => stderr::refuse(&error),
    };
    answer.into()
}
