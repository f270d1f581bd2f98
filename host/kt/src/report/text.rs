//! The report in words.

use std::fmt::Display;
use std::io::{self, Write};

use cedargate::model::{Expect, ExpectedDecision};

use super::{Explained, Report};
use crate::clean::clean;
use crate::replay::entry::{Entry, Judged, Verdict};
use crate::replay::summary::Summary;
use crate::words;

pub(super) struct Text {
    out: Box<dyn Write>,
    file: String,
}

impl Text {
    pub(super) fn new(out: Box<dyn Write>) -> Self {
        Self { out, file: String::new() }
    }

    fn mismatch(&mut self, line: u64, judged: &Judged) -> io::Result<()> {
        let Judged { record, ruling, pdp, .. } = judged;
        let set = pdp.info();
        let out = &mut self.out;
        writeln!(out, "mismatch: {}:{line} {}", self.file, clean(record.id()))?;
        if let Some(expect) = record.expect() {
            writeln!(out, "  expected  {}", expected(expect))?;
        }
        let places: Vec<_> = ruling.policies().iter().map(|id| words::policy(&set, id)).collect();
        writeln!(out, "  came      {}{}", words::brief(ruling), list(", by ", &places))?;
        let errors: Vec<_> = ruling.errors().iter().map(|id| words::policy(&set, id)).collect();
        if !errors.is_empty() {
            writeln!(out, "  errors   {}", list(" ", &errors))?;
        }
        if let Some(detail) = ruling.detail() {
            writeln!(out, "  detail    {}", clean(detail))?;
        }
        writeln!(out)
    }
}

impl Report for Text {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        self.file = clean(file).into_owned();
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        match &entry.result {
            Ok(judged) if judged.verdict == Verdict::Mismatched => self.mismatch(entry.line, judged),
            // What is not a record was said on standard error.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn failed(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, summary: &Summary, explained: &[Explained]) -> io::Result<()> {
        for Explained { place, words, .. } in explained {
            writeln!(self.out, "{}\n{words}\n", clean(place))?;
        }
        self.out.write_all(in_words(summary).as_bytes())?;
        self.out.flush()
    }
}

fn expected(expect: &Expect) -> String {
    let mut text = match expect.decision {
        ExpectedDecision::Allow => "allow",
        ExpectedDecision::Deny => "deny",
    }
    .to_owned();
    if let Some(status) = expect.status {
        text += &format!(" {status}");
    }
    if let Some(code) = &expect.code {
        text += &format!(" {}", clean(code));
    }
    match expect.policies.as_deref() {
        None => {}
        Some([]) => text += ", by no policy",
        Some(policies) => {
            let policies: Vec<_> = policies.iter().map(|id| clean(id)).collect();
            text += &list(", by ", &policies);
        }
    }
    text
}

fn list(before: &str, items: &[impl Display]) -> String {
    let mut text = String::new();
    for (n, item) in items.iter().enumerate() {
        text += &format!("{}{item}", if n == 0 { before } else { ", " });
    }
    text
}

fn in_words(summary: &Summary) -> String {
    let Summary { total, matched, mismatched, unchecked, errors, allow, deny, .. } = summary;
    let mut text = format!("{} replayed: {} matched", counted(*total, "record"), thousands(*matched));
    text += &format!(", {} mismatched, {} unchecked", thousands(*mismatched), thousands(*unchecked));
    if *errors > 0 {
        text += &format!(", and {} unreadable", counted(*errors, "line"));
    }
    text += &format!("\n  {} allowed, {} denied", thousands(*allow), thousands(*deny));
    let mut codes: Vec<_> = summary.denials.iter().collect();
    codes.sort_by(|(_, a), (_, b)| b.cmp(a));
    let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{} {}", thousands(**count), clean(code))).collect();
    text += &list(": ", &codes);
    if *total > 0 {
        text += &in_time(summary);
    }
    text += &format!("\n  policy set {}", summary.policy_set);
    if summary.archived > 0 {
        text += &format!("; {} decided by the policies that decided them then", counted(summary.archived, "record"));
    }
    text.push('\n');
    text
}

fn in_time(summary: &Summary) -> String {
    format!(
        "\n  {:.2} s, {} decisions a second, half of them within {}, 99 % within {}",
        summary.seconds,
        thousands_of(summary.decisions_per_second),
        duration(summary.p50_ns),
        duration(summary.p99_ns),
    )
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", thousands(n)) }
}

fn thousands_of(n: f64) -> String {
    format!("{n:.0}").parse().map_or_else(|_| n.to_string(), thousands)
}

/// A number with a comma after every three digits.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && digits.len().saturating_sub(n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(nanos: u64) -> String {
    let (whole, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = nanos.saturating_mul(10).div_euclid(whole);
    format!("{}.{} {unit}", tenths.div_euclid(10), tenths.rem_euclid(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 999, 1_050, 12_345_678].map(duration), ["0 ns", "999 ns", "1.0 µs", "12.3 ms"]);
    }
}
