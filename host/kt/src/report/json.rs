//! The report as one JSON object on one line, written while the replay goes on.

use std::io::{self, Write};

use cedargate::model::Expect;
use serde::Serialize;

use super::{Explained, Report};
use crate::replay::entry::{Entry, Judged, Verdict};
use crate::replay::summary::Summary;
use crate::ruling::Ruling;

pub(super) struct Json {
    out: Box<dyn Write>,
    file: String,
    findings: u64,
}

/// A line that needs a look.
#[derive(Serialize)]
struct Finding<'a> {
    result: &'static str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a Expect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<Came<'a>>,
}

#[derive(Serialize)]
struct Came<'a> {
    decision: &'static str,
    outcome: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    policies: Vec<&'a str>,
    errors: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct Told<'a> {
    place: &'a str,
    id: &'a str,
    came: Came<'a>,
    words: &'a str,
}

#[derive(Serialize)]
struct End<'a> {
    explained: Vec<Told<'a>>,
    #[serde(flatten)]
    summary: &'a Summary,
}

impl Json {
    pub(super) fn new(out: Box<dyn Write>) -> Self {
        Self { out, file: String::new(), findings: 0 }
    }

    fn open(&mut self) -> io::Result<()> {
        self.out.write_all(if self.findings == 0 { br#"{"v":1,"findings":["# } else { b"," })?;
        self.findings = self.findings.saturating_add(1);
        Ok(())
    }

    fn find(&mut self, finding: impl FnOnce(&str) -> Result<Vec<u8>, serde_json::Error>) -> io::Result<()> {
        self.open()?;
        self.out.write_all(&finding(&self.file)?)
    }
}

impl Report for Json {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        file.clone_into(&mut self.file);
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let line = Some(entry.line);
        match &entry.result {
            Err(error) => self.find(|file| {
                serde_json::to_vec(&Finding { line, error: Some(error), ..Finding::new("unreadable", file) })
            }),
            Ok(Judged { record, ruling, verdict: Verdict::Mismatched, .. }) => self.find(|file| {
                serde_json::to_vec(&Finding {
                    line,
                    id: Some(record.id()),
                    expected: record.expect(),
                    came: Some(Came::of(ruling)),
                    ..Finding::new("mismatched", file)
                })
            }),
            Ok(_) => Ok(()),
        }
    }

    fn failed(&mut self, error: &str) -> io::Result<()> {
        self.find(|file| serde_json::to_vec(&Finding { error: Some(error), ..Finding::new("unread_file", file) }))
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary, explained: &[Explained]) -> io::Result<()> {
        if self.findings == 0 {
            self.open()?;
        }
        let explained = explained.iter().map(Told::of).collect();
        let end = serde_json::to_string(&End { explained, summary })?;
        // An object's first brace: the object was opened long ago.
        let rest = end.strip_prefix('{').unwrap_or(&end);
        writeln!(self.out, "],{rest}")?;
        self.out.flush()
    }
}

impl<'a> Told<'a> {
    fn of(Explained { place, judged, words }: &'a Explained) -> Self {
        Self { place, id: judged.record.id(), came: Came::of(&judged.ruling), words }
    }
}

impl<'a> Finding<'a> {
    fn new(result: &'static str, file: &'a str) -> Self {
        Self { result, file, line: None, error: None, id: None, expected: None, came: None }
    }
}

impl<'a> Came<'a> {
    fn of(ruling: &'a Ruling) -> Self {
        Self {
            decision: if ruling.is_allow() { "allow" } else { "deny" },
            outcome: ruling.outcome().name(),
            status: ruling.status(),
            code: ruling.code(),
            policies: ruling.policies(),
            errors: ruling.errors(),
            detail: ruling.detail(),
        }
    }
}
