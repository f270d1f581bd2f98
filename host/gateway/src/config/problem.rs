//! What is wrong with a configuration, with its place and its cure.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is larger than a configuration may be.
    #[error("`{}` is larger than {limit} bytes: is it a configuration?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file says nothing any more, and is read again.
    #[error(
        "the configuration is empty: what was in force stays; write `{}` again, or start anew with an empty one",
        path.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// The text has mistakes: all that were found.
    #[error("{0}")]
    Refused(Problems),
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Problems::new(vec![problem]))
    }
}

/// Everything that is wrong with one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.problems.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One mistake. Its `Display` shows the place, the line with a caret under it, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    message: String,
    help: Option<String>,
    place: Option<Place>,
}

/// A place in a text, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    file: String,
    line: usize,
    column: usize,
    length: usize,
    source: String,
}

impl Problem {
    pub(super) fn at(place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()), place: Some(place) }
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Line and column, both from 1 on; the column in characters.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[config]: {}", self.message)?;
        if let Some(Place { file, line, column, length, source }) = &self.place {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs and controls would move the caret away from what it points at.
            let shown: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            // Of a long line, what stands around the place.
            let before = column.saturating_sub(1);
            let skipped = before.saturating_sub(SHOWN_BEFORE_MAX);
            let shown: String = shown.chars().skip(skipped).take(SHOWN_MAX).collect();
            let before = before.saturating_sub(skipped);
            let left = shown.chars().count().saturating_sub(before).max(1);
            let caret = "^".repeat((*length).clamp(1, left));
            write!(f, "\n  --> {file}:{line}:{column}\n{margin} |\n{number} | {}", shown.trim_end())?;
            write!(f, "\n{margin} | {}{caret}", " ".repeat(before))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

/// Characters of a line that are shown. Lines of people are shorter; a generated one would flood the terminal.
const SHOWN_MAX: usize = 160;

/// Characters that are shown before the place of a mistake.
const SHOWN_BEFORE_MAX: usize = 80;

/// What stands for a value that may be a secret.
const CUT: &str = "= ***";

/// Words in a line that may hold a secret, pasted where only its place belongs; `@` may end a password in a URL.
const SECRET_WORDS: [&str; 5] = ["key", "secret", "bearer", "password", "@"];

/// The line, without its value where that may be a secret.
fn without_secret(line: &str) -> String {
    let lower = line.to_lowercase();
    match line.split_once('=') {
        Some((name, value)) if value.contains(['"', '\'']) && SECRET_WORDS.iter().any(|word| lower.contains(word)) => {
            format!("{name}{CUT}")
        }
        _ => line.to_owned(),
    }
}

/// The message, without what stands in double quotes: parsers quote values so.
fn without_quoted(message: &str) -> String {
    let parts: Vec<&str> = message.split('"').collect();
    let shown = |(n, part): (usize, &&str)| if n % 2 == 1 { "\"***\"".to_owned() } else { (*part).to_owned() };
    parts.iter().enumerate().map(shown).collect()
}

/// A text, and the problems that were found in it so far.
pub(super) struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// Notes a mistake at a span of bytes.
    pub(super) fn at(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let place = self.place(&span);
        self.problems.push(Problem::at(place, message, help));
    }

    /// Notes what the parser said.
    pub(super) fn parse(&mut self, span: Option<Range<usize>>, message: &str) {
        let place = span.map(|span| self.place(&span));
        let message = if place.as_ref().is_some_and(|place| place.source.ends_with(CUT)) {
            without_quoted(message)
        } else {
            message.to_owned()
        };
        self.problems.push(Problem { message, help: None, place });
    }

    /// Where a span of bytes is.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let rest = self.text.get(line_start..).unwrap_or_default();
        let source = without_secret(rest.lines().next().unwrap_or_default());
        let column = before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1);
        let meant = self.text.get(span.clone()).unwrap_or_default();
        Place {
            file: self.file.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            column,
            length: meant.lines().next().unwrap_or_default().chars().count(),
            source,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_error(self) -> ConfigError {
        ConfigError::Refused(Problems::new(self.problems))
    }
}
