//! Everything that is not data.

use std::fmt;
use std::io::{self, Write};

use crate::answer::Answer;
use crate::clean::clean_lines;

/// Says something to the person at the terminal. Where nobody listens, nothing is lost.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    // The exit code carries the answer; there is nowhere left to report that this failed.
    let _ = writeln!(io::stderr(), "{}", clean_lines(&text));
}

/// Says why the command cannot answer.
pub(crate) fn fail(error: &anyhow::Error) -> Answer {
    if !is_broken_pipe(error) {
        say(format_args!("error: {error:#}"));
    }
    Answer::CannotSay
}

/// Whoever read the output has read enough: not worth a word.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
