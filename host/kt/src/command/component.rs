//! `kt component`: the decision component as a file, and what it is.

mod compile;
mod export;
mod info;
mod new_file;

use clap::Subcommand;

use crate::answer::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// Write the component to a file, for hosts that are not Rust.
    Export(export::Export),
    /// Compile the component ahead of time, for hosts without a compiler.
    Compile(compile::Compile),
    /// Print digest, size, contract version and Cedar language version of the component.
    Info(info::Info),
}

impl Component {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Export(command) => command.run(),
            Self::Compile(command) => command.run(),
            Self::Info(command) => command.run(),
        }
    }
}
