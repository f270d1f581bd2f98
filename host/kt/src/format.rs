//! In which form a command prints its data.

use clap::{Args, ValueEnum};

/// For people or for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Words for people.
    Text,
    /// JSON for machines.
    Json,
}

/// The option `--format`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormatArg {
    /// In which form to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
