//! The report as JUnit writes it: a suite for each file, a test case for each line.

use std::io::{self, Write};

use super::spool::Spool;
use super::xml::Escaped;
use super::{Explained, Report};
use crate::replay::entry::{Entry, Judged, Verdict};
use crate::replay::summary::Summary;
use crate::words;

pub(super) struct Junit {
    out: Box<dyn Write>,
    begun: bool,
    suite: Suite,
}

/// The counts stand before the cases, so the cases wait.
#[derive(Default)]
struct Suite {
    file: String,
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    cases: Spool,
}

impl Junit {
    pub(super) fn new(out: Box<dyn Write>) -> Self {
        Self { out, begun: false, suite: Suite::default() }
    }

    fn prologue(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        self.out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"kt replay\">\n")
    }
}

impl Report for Junit {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        self.suite = Suite { file: file.to_owned(), ..Suite::default() };
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.suite.entry(entry)
    }

    fn failed(&mut self, error: &str) -> io::Result<()> {
        self.suite.error("the file", 0, "unread file", error)
    }

    fn end(&mut self) -> io::Result<()> {
        self.prologue()?;
        let Suite { file, tests, failures, errors, skipped, cases } = &mut self.suite;
        let file = Escaped(file);
        writeln!(
            self.out,
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\">"
        )?;
        cases.drain(&mut self.out)?;
        writeln!(self.out, "  </testsuite>")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _: &Summary, _: &[Explained]) -> io::Result<()> {
        self.prologue()?;
        self.out.write_all(b"</testsuites>\n")?;
        self.out.flush()
    }
}

impl Suite {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let Judged { record, ruling, verdict, elapsed, pdp: _ } = match &entry.result {
            Ok(judged) => judged,
            Err(error) => return self.error(&format!("line {}", entry.line), entry.line, "unreadable line", error),
        };
        let seconds = elapsed.unwrap_or_default().as_secs_f64();
        self.open(record.id(), entry.line, seconds)?;
        match verdict {
            Verdict::Matched => writeln!(self.cases, "/>"),
            Verdict::Unchecked => {
                self.skipped = self.skipped.saturating_add(1);
                let came = words::brief(ruling);
                writeln!(self.cases, "><skipped message=\"expects nothing, came {}\"/></testcase>", Escaped(&came))
            }
            Verdict::Mismatched => {
                self.failures = self.failures.saturating_add(1);
                let came = format!("came {}", words::brief(ruling));
                let expected = serde_json::to_string(&record.expect())?;
                let mut text = format!("expected {expected}\n{came}\npolicies {}", ruling.policies().join(", "));
                if !ruling.errors().is_empty() {
                    text += &format!("\nerrors {}", ruling.errors().join(", "));
                }
                if let Some(detail) = ruling.detail() {
                    text += &format!("\ndetail {detail}");
                }
                let (came, text) = (Escaped(&came), Escaped(&text));
                writeln!(self.cases, "><failure type=\"mismatch\" message=\"{came}\">{text}</failure></testcase>")
            }
        }
    }

    fn open(&mut self, name: &str, line: u64, seconds: f64) -> io::Result<()> {
        self.tests = self.tests.saturating_add(1);
        let (name, file) = (Escaped(name), Escaped(&self.file));
        write!(
            self.cases,
            "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\" time=\"{seconds:.9}\""
        )
    }

    fn error(&mut self, name: &str, line: u64, kind: &str, text: &str) -> io::Result<()> {
        self.open(name, line, 0.0)?;
        self.errors = self.errors.saturating_add(1);
        writeln!(self.cases, "><error type=\"{kind}\" message=\"{}\"/></testcase>", Escaped(text))
    }
}
