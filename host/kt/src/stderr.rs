//! Everything that is not data.

use std::env;
use std::fmt;
use std::io::{self, Write};

use cedargate_tokens::mask_secrets;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format};

use crate::answer::Answer;
use crate::clean::clean_lines;

/// Asks for the log: a level, from `error` to `trace`.
const LOG: &str = "CEDARGATE_LOG";

/// Writes what the crates log to stderr, where the environment asks for it.
pub(crate) fn log_if_asked() {
    if let Some(level) = level_asked() {
        logger().with_max_level(level).init();
    }
}

/// Writes a log to stderr. Where nobody reads it any more, or its disk is full, its lines are lost and nothing else is:
/// to tell of that on stderr, too, would end the process.
pub(crate) fn logger() -> SubscriberBuilder<DefaultFields, Format, LevelFilter, fn() -> io::Stderr> {
    let writer: fn() -> io::Stderr = io::stderr;
    tracing_subscriber::fmt().with_writer(writer).with_ansi(false).log_internal_errors(false)
}

/// The level of the log that the environment asks for.
pub(crate) fn level_asked() -> Option<LevelFilter> {
    let asked = env::var_os(LOG).filter(|level| !level.is_empty())?;
    let level = asked.to_str().and_then(|level| level.parse().ok());
    if level.is_none() {
        say(format_args!("`{LOG}` counts for nothing: it is none of error, warn, info, debug, trace"));
    }
    level
}

/// Says something to the person at the terminal. Where nobody listens, nothing is lost.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    // The exit code carries the answer; there is nowhere left to report that this failed.
    let _ = writeln!(io::stderr(), "{}", fit(&text));
}

/// A text without what would steer a terminal, and without keys that somebody pasted at the wrong place.
fn fit(text: &str) -> String {
    clean_lines(&mask_secrets(text)).into_owned()
}

/// Says why the command cannot answer.
pub(crate) fn fail(error: &anyhow::Error) -> Answer {
    if !is_broken_pipe(error) {
        say(format_args!("error: {error:#}"));
    }
    Answer::CannotSay
}

/// Says what is wrong with what was typed, or shows the help that was asked for.
pub(crate) fn refuse(error: &clap::Error) -> Answer {
    // Colours are for what needs no care.
    let plain = env::args_os().all(|typed| typed.to_str().is_some_and(|typed| fit(typed) == typed));
    if plain || !error.use_stderr() {
        error.exit();
    }
    say(format_args!("{}", error.render().to_string().trim_end()));
    Answer::CannotSay
}

/// Whoever read the output has read enough: not worth a word.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
