//! What is wrong with a bundle, where, and what helps: every diagnostic of a load in one sorted list.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The diagnostics that a report lists; what is beyond is only counted.
pub const DIAGNOSTICS_MAX: usize = 100;

/// The characters of a source line that a diagnostic shows.
const SOURCE_LINE_CHARS_MAX: usize = 400;

/// How grave a diagnostic is. Only errors refuse a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle is refused.
    Error,
    /// The bundle loads; its author should look.
    Warning,
}

/// The part of loading that found a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A size, count or depth beyond its limit.
    Limit,
    /// The schema cannot be read.
    Schema,
    /// The schema does not admit the facts that the plug-in makes.
    Facts,
    /// A text is not a policy.
    Parse,
    /// An annotation is missing, unknown, or has a value that it cannot have.
    Annotation,
    /// An `@id` that another policy has.
    DuplicateId,
    /// The static entities cannot be read or do not conform to the schema.
    Entities,
    /// A template link cannot be made.
    Link,
    /// A policy does not conform to the schema.
    Validation,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file of the bundle, by its name there.
    pub file: String,
    /// The line, from 1. 0 where the finding is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1. 0 where `line` is.
    pub column: usize,
    /// How many characters of the line the finding covers.
    pub length: usize,
    /// How grave it is.
    pub severity: Severity,
    /// What found it.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// The text of the line.
    pub source: String,
    /// What helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The `@id` of the policy it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A named text of a bundle, to point into.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    /// The file's name.
    pub file: &'t str,
    /// Its text.
    pub text: &'t str,
}

impl Source<'_> {
    /// A finding at a span of bytes.
    #[must_use]
    pub fn at(&self, offset: usize, bytes: usize, code: Code, message: impl Into<String>) -> Diagnostic {
        let offset = floor_boundary(self.text, offset.min(self.text.len()));
        let end = floor_boundary(self.text, offset.saturating_add(bytes).min(self.text.len()));
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_text = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let covered = self.text.get(offset..end).unwrap_or_default().lines().next().unwrap_or_default();
        Diagnostic {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            length: covered.chars().count().max(1),
            severity: Severity::Error,
            code,
            message: message.into(),
            source: line_text.chars().take(SOURCE_LINE_CHARS_MAX).collect(),
            help: None,
            policy: None,
        }
    }

    /// A finding about the file as a whole.
    #[must_use]
    pub fn whole(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { line: 0, column: 0, length: 0, source: String::new(), ..self.at(0, 0, code, message) }
    }

    /// A finding about a JSON text, placed by the line and column that the reader's message ends with.
    #[must_use]
    pub fn json(&self, code: Code, message: &str) -> Diagnostic {
        let place = message.rsplit_once(" at line ").and_then(|(before, place)| {
            let (line, column) = place.split_once(" column ")?;
            Some((before, line.parse::<usize>().ok()?, column.parse::<usize>().ok()?))
        });
        let Some((before, line, column)) = place.filter(|(_, line, _)| *line > 0) else {
            return self.whole(code, message);
        };
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        self.at(start + column.saturating_sub(1), 1, code, before)
    }

    /// A finding of Cedar's, placed by its first label. `place` maps Cedar's offsets to those of this text.
    #[must_use]
    pub fn cedar(&self, found: &dyn miette::Diagnostic, code: Code, place: impl Fn(usize) -> usize) -> Diagnostic {
        let label = found.labels().and_then(|mut labels| labels.next());
        let message = sentence(found);
        let mut diagnostic = match &label {
            Some(label) => {
                let (from, to) = (place(label.offset()), place(label.offset() + label.len()));
                self.at(from, to.saturating_sub(from), code, message)
            }
            None => self.whole(code, message),
        };
        let hint = label.as_ref().and_then(|l| l.label()).filter(|text| !text.is_empty()).map(str::to_owned);
        diagnostic.help = found.help().map(|help| help.to_string()).or(hint);
        diagnostic
    }
}

impl Diagnostic {
    /// With a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// The findings of one load, in the order of files and lines, each once.
#[derive(Debug, Default)]
pub struct Diagnostics {
    found: BTreeSet<Diagnostic>,
    errors: usize,
}

impl Diagnostics {
    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let error = diagnostic.severity == Severity::Error;
        if self.found.insert(diagnostic) && error {
            self.errors += 1;
        }
    }

    /// Whether the bundle must be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Takes the findings in order, errors before warnings, at most [`DIAGNOSTICS_MAX`], and their number.
    #[must_use]
    pub fn into_report(self) -> Report {
        let count = self.found.len();
        let (errors, warnings): (Vec<_>, Vec<_>) = self.found.into_iter().partition(|d| d.severity == Severity::Error);
        let diagnostics = errors.into_iter().chain(warnings).take(DIAGNOSTICS_MAX).collect();
        Report { v: 1, count, diagnostics }
    }
}

/// The text of `load-error.refused`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// The version of this text.
    pub v: u8,
    /// How many findings there are.
    pub count: usize,
    /// The first of them.
    pub diagnostics: Vec<Diagnostic>,
}

/// A finding's message with that of its cause, unless it is in there already.
fn sentence(found: &dyn miette::Diagnostic) -> String {
    let text = found.to_string();
    match found.source().map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => format!("{text}: {cause}"),
        _ => text,
    }
}

/// The nearest character boundary at or before `at`.
fn floor_boundary(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
