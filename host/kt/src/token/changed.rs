//! What became of tokens.

use cedargate::model::Timestamp;
use cedargate_tokens::Token;
use serde::Serialize;

use super::output::OutputArg;
use super::pretty;
use super::shown::Shown;
use crate::clean::clean;
use crate::format::Format;
use crate::stdout;

#[derive(Serialize)]
struct Changed<'a> {
    v: u8,
    tokens: Vec<Shown<'a>>,
}

/// Prints a line for each token, or all as JSON.
pub(crate) fn tell(done: &str, tokens: &[Token], at: Timestamp, output: OutputArg) -> anyhow::Result<()> {
    match output.format {
        Format::Json => {
            let tokens = tokens.iter().map(|token| Shown::new(token, at)).collect();
            stdout::print(&pretty::one_line(&Changed { v: 1, tokens })?)
        }
        Format::Text => {
            tokens.iter().try_for_each(|token| stdout::print(&format!("{done}: {} ({})", clean(&token.name), token.id)))
        }
    }
}
