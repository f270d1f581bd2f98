//! The option `--format`, which is `--output` and `-o` too.

use clap::Args;

use crate::format::Format;

/// The option `--format`, also `--output` and `-o`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputArg {
    /// In which form to print.
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}
