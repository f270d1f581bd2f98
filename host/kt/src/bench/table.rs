//! The measures in words, a column for each set.

use std::fmt::Write;

use super::compare::Regression;
use super::figure::Kind;
use super::row::{Row, SetName, float};

/// Columns of the names of measures, and of each set.
const NAME_WIDTH: usize = 22;
const SET_WIDTH: usize = 14;

/// What a measure is called, and its text for a set.
type Line<'a> = (&'a str, Box<dyn Fn(&Row) -> Option<String> + 'a>);

/// The table, without the last line end.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines: Vec<Line<'_>> = vec![("policies", Box::new(|row| Some(heading(row))))];
    for kind in Kind::ALL {
        let figure = move |row: &Row| row.figures.get(&kind).copied();
        lines.push((kind.words(), Box::new(move |row| Some(time(figure(row)?.median_ns)))));
        lines.push(("  99 of 100 within", Box::new(move |row| Some(time(figure(row)?.p99_ns)))));
        let against = match kind.against() {
            None => continue,
            Some(Kind::Native) => "  × plain Cedar",
            Some(_) => "  × one by one",
        };
        lines.push((against, Box::new(move |row| Some(format!("{:.3}", row.ratio(kind)?)))));
    }
    lines.push(("visited every policy", Box::new(|row| Some(format!("{} of {}", row.full_scans, row.decisions)))));
    lines.push(("two threads by one", Box::new(|row| Some(format!("{:.2}", row.threads_speedup?)))));
    lines.push(("a further instance", Box::new(|row| Some(time(row.instance_ns)))));
    lines.push(("memory, 4 instances", Box::new(|row| Some(bytes(row.memory.rss_bytes?)))));
    lines.push(("  remembered decisions", Box::new(|row| Some(grouped(row.memory.remembered)))));
    lines.push(("  take", Box::new(|row| Some(bytes(row.memory.remembered_bytes?)))));
    let mut text = String::new();
    for (name, of) in lines {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{name:NAME_WIDTH$}");
        for row in rows {
            let _ = write!(text, " {:>SET_WIDTH$}", of(row).unwrap_or_else(|| "-".to_owned()));
        }
        text.push('\n');
    }
    text.push_str("\nTimes are for one decision: the best median of the rounds.");
    text
}

/// A measure that has become worse, in words.
pub(crate) fn regression(found: &Regression) -> String {
    let Regression { set, field, before, now } = found;
    let percent = (now / before.max(f64::MIN_POSITIVE) - 1.0) * 100.0;
    let worse = if percent < 1e6 { format!("{percent:.0} % worse") } else { "worse, from nothing".to_owned() };
    let measure = if field.ends_with("_ns") { format!("`{field}` by `native_ns`") } else { format!("`{field}`") };
    format!("{set}: {measure} is {worse}")
}

fn heading(row: &Row) -> String {
    let size = grouped(row.policies);
    match row.set {
        SetName::Generated => size,
        own => format!("{} ({size})", own.name()),
    }
}

fn time(nanos: u64) -> String {
    let of = |unit: f64| float(nanos) / unit;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.2} µs", of(1e3)),
        1_000_000..1_000_000_000 => format!("{:.2} ms", of(1e6)),
        _ => format!("{:.2} s", of(1e9)),
    }
}

fn bytes(bytes: u64) -> String {
    format!("{:.1} MB", float(bytes) / 1e6)
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
