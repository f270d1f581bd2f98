//! `kt component`: the decision component as a file, and what it is.

mod export;
mod info;

use clap::Subcommand;

use crate::answer::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// Write the component to a file, for hosts that are not Rust.
    Export(export::Export),
    /// Print digest, size, contract version and Cedar language version of the component.
    Info(info::Info),
}

impl Component {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        match self {
            Self::Export(command) => command.run(),
            Self::Info(command) => command.run(),
        }
    }
}
