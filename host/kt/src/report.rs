//! How a replay is reported: in words, as JSON, as JUnit's XML.

mod json;
mod junit;
mod spool;
mod text;
mod xml;

use std::io;

use clap::ValueEnum;

use crate::replay::entry::{Entry, Judged};
use crate::replay::summary::Summary;
use crate::stdout;

/// The forms of a replay's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Words for people: every mismatch, then a summary.
    Text,
    /// One JSON object: `findings`, `explained`, and the counts of the summary.
    Json,
    /// XML as JUnit writes it, a test case for each line.
    Junit,
}

/// Writes the report of a replay, in the order of the input.
pub(crate) trait Report {
    /// The lines of another file follow.
    fn begin(&mut self, file: &str) -> io::Result<()>;

    /// A line was replayed.
    fn entry(&mut self, entry: &Entry) -> io::Result<()>;

    /// The file cannot be read any further.
    fn failed(&mut self, error: &str) -> io::Result<()>;

    /// The file ends.
    fn end(&mut self) -> io::Result<()>;

    /// Hands on what was written so far.
    fn flush(&mut self) -> io::Result<()>;

    /// Everything was replayed.
    fn finish(&mut self, summary: &Summary, explained: &[Explained]) -> io::Result<()>;
}

/// A denial that is told in full.
pub(crate) struct Explained {
    pub(crate) place: String,
    pub(crate) judged: Judged,
    /// The decision and its reason in words.
    pub(crate) words: String,
}

/// A report to standard output.
pub(crate) fn to_stdout(format: ReportFormat) -> Box<dyn Report> {
    let out = stdout::buffered();
    match format {
        ReportFormat::Text => Box::new(text::Text::new(out)),
        ReportFormat::Json => Box::new(json::Json::new(out)),
        ReportFormat::Junit => Box::new(junit::Junit::new(out)),
    }
}
