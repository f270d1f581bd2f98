//! What is wrong with a bundle, with file, line, column and help.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything the component said about a bundle. At most 100 diagnostics are kept; the count is of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    diagnostics: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(crate) fn new(count: usize, diagnostics: Vec<Diagnostic>) -> Self {
        Self { count, diagnostics }
    }

    /// How many there are, those included that were not kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.max(self.diagnostics.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Those that were kept.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.diagnostics.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        match self.count().saturating_sub(self.diagnostics.len()) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

/// An error stops a bundle from being loaded; a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle is not loaded.
    Error,
    /// The bundle is loaded, and somebody should look.
    Warning,
}

/// One thing that is wrong with a bundle.
///
/// Its `Display` shows the place, the line with a caret under it, and the help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Whether it stops the bundle from being loaded.
    pub severity: Severity,
    /// Its kind, for example `parse`, `validation`, `annotation` or `limit`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The file of the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1 on. 0 where the file as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column, in characters, from 1 on. 0 where the line is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How many characters of the line are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The text of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The policy, by `@id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if let Some(file) = &self.file {
            write!(f, "\n  --> {file}")?;
            if let Some(line) = self.placed_line() {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
        }
        if let (Some(source), Some(line)) = (&self.source, self.placed_line()) {
            self.fmt_source(f, source, line)?;
        }
        if let Some(policy) = &self.policy {
            write!(f, "\n  = policy: {policy}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl Diagnostic {
    /// The line, where not the file as a whole is meant.
    fn placed_line(&self) -> Option<usize> {
        self.line.filter(|line| *line > 0)
    }

    fn fmt_source(&self, f: &mut fmt::Formatter<'_>, source: &str, line: usize) -> fmt::Result {
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs and controls would move the caret away from what it points at.
        let shown: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "\n{margin} |\n{number} | {}", shown.trim_end())?;
        if let Some(column) = self.column {
            let caret = "^".repeat(self.length.unwrap_or(1).clamp(1, shown.chars().count().max(1)));
            write!(f, "\n{margin} | {}{caret}", " ".repeat(column.saturating_sub(1)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_place_line_caret_and_help() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "parse".to_owned(),
            message: "unexpected token `,`".to_owned(),
            file: Some("models.cedar".to_owned()),
            line: Some(12),
            column: Some(3),
            length: Some(1),
            source: Some("  ,\tresource".to_owned()),
            help: Some("remove it".to_owned()),
            policy: None,
        };
        let expected = "error[parse]: unexpected token `,`\n  --> models.cedar:12:3\n   |\n12 |   , resource\n   |   ^\n  = help: remove it";
        assert_eq!(diagnostic.to_string(), expected);
    }

    #[test]
    fn a_finding_about_a_whole_file_shows_no_line() {
        let found = r#"{"severity":"error","code":"limit","message":"too deep","file":"bundle.toml","line":0,"column":0,
            "length":0,"source":"","help":"lower `depth`"}"#;
        let diagnostic: Diagnostic = serde_json::from_str(found).unwrap();
        assert_eq!(diagnostic.to_string(), "error[limit]: too deep\n  --> bundle.toml\n  = help: lower `depth`");
    }
}
