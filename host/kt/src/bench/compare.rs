//! Compares measures with earlier ones.
//!
//! Times are compared as multiples of plain Cedar's, which was measured beside them: a slower machine is no
//! regression.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::figure::Kind;
use super::row::Row;

/// The file of an earlier measurement, with a whole list of objects.
pub(crate) struct Earlier {
    rows: Vec<Map<String, Value>>,
}

/// A measure that has become worse.
#[derive(Debug, PartialEq)]
pub(crate) struct Regression {
    /// Which set.
    pub(crate) set: String,
    /// The field.
    pub(crate) field: String,
    pub(crate) before: f64,
    pub(crate) now: f64,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) regressions: Vec<Regression>,
    /// Sets that the earlier measurement has not.
    pub(crate) unknown: Vec<String>,
    /// Sets that were compared.
    pub(crate) compared: usize,
}

impl Earlier {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot compare with `{}`", path.display());
        let text = fs::read_to_string(path).with_context(cannot)?;
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&text)
            .context("it is not what `kt policy bench --save` writes")
            .with_context(cannot)?;
        if rows.iter().any(|row| number(row, "native_ns").is_none() || !row.contains_key("set")) {
            bail!("{}: an object in it has no `set` or no `native_ns`", cannot());
        }
        Ok(Self { rows })
    }

    /// Compares each row with the earlier one of the same set, size and seed.
    pub(crate) fn compare(&self, rows: &[Row], threshold_percent: u32) -> anyhow::Result<Comparison> {
        let mut found = Comparison::default();
        for row in rows {
            let now = as_object(row)?;
            let same = |earlier: &&Map<String, Value>| {
                ["set", "policies", "seed"].iter().all(|field| earlier.get(*field) == now.get(*field))
            };
            let name = name(row);
            let Some(before) = self.rows.iter().find(same) else {
                found.unknown.push(name);
                continue;
            };
            found.compared += 1;
            for (field, before, now) in measures(before, &now) {
                if now > before * (1.0 + f64::from(threshold_percent) / 100.0) {
                    found.regressions.push(Regression { set: name.clone(), field, before, now });
                }
            }
        }
        Ok(found)
    }
}

/// A set's name for people.
pub(crate) fn name(row: &Row) -> String {
    format!("{} ({})", row.set.name(), row.policies)
}

fn as_object(row: &Row) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(row)? {
        Value::Object(object) => Ok(object),
        _ => bail!("a row is no object"),
    }
}

fn number(row: &Map<String, Value>, field: &str) -> Option<f64> {
    row.get(field).and_then(Value::as_f64).filter(|number| number.is_finite() && *number >= 0.0)
}

/// What both have measured: the field, the measure before and now. More is worse.
fn measures(before: &Map<String, Value>, now: &Map<String, Value>) -> Vec<(String, f64, f64)> {
    let mut measures = Vec::new();
    let times = Kind::ALL.iter().filter(|kind| kind.against().is_some()).map(|kind| format!("{}_ns", kind.name()));
    for field in times.chain(["instance_ns".to_owned()]) {
        let of = |row| Some(number(row, &field)? / number(row, "native_ns").filter(|native| *native > 0.0)?);
        measures.extend(of(before).zip(of(now)).map(|(before, now)| (field.clone(), before, now)));
    }
    let bytes = |row| number(row, "rss_bytes");
    measures.extend(bytes(before).zip(bytes(now)).map(|(before, now)| ("rss_bytes".to_owned(), before, now)));
    let slowness = |row| Some(1.0 / number(row, "threads_speedup").filter(|speedup| *speedup > 0.0)?);
    measures
        .extend(slowness(before).zip(slowness(now)).map(|(before, now)| ("threads_speedup".to_owned(), before, now)));
    let scanned = |row| Some(number(row, "full_scans")? / number(row, "decisions").filter(|all| *all > 0.0)?);
    measures.extend(scanned(before).zip(scanned(now)).map(|(before, now)| ("full_scans".to_owned(), before, now)));
    measures
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::figure::Figure;
    use crate::bench::memory::Memory;
    use crate::bench::row::SetName;

    fn row() -> Row {
        let figure = |median_ns| Figure { median_ns, p99_ns: 10 * median_ns };
        Row {
            set: SetName::Generated,
            policies: 10,
            seed: 1,
            figures: BTreeMap::from([(Kind::Native, figure(20_000)), (Kind::Cold, figure(5_000))]),
            decisions: 100,
            full_scans: 1,
            threads_speedup: Some(1.9),
            instance_ns: 1_000_000,
            memory: Memory { rss_bytes: Some(50_000_000), remembered: 0, remembered_bytes: None },
        }
    }

    fn compared(before: &Row, now: Row) -> Vec<String> {
        let earlier = Earlier { rows: vec![as_object(before).unwrap()] };
        let found = earlier.compare(&[now], 20).unwrap();
        found.regressions.into_iter().map(|found| found.field).collect()
    }

    #[test]
    fn what_is_worse_past_the_threshold_is_named() {
        assert_eq!(compared(&row(), row()), [""; 0]);
        let mut slow = row();
        slow.figures.insert(Kind::Cold, Figure { median_ns: 6_100, p99_ns: 0 });
        slow.threads_speedup = Some(1.5);
        slow.full_scans = 2;
        slow.memory.rss_bytes = Some(61_000_000);
        slow.instance_ns = 1_300_000;
        let worse = ["cold_ns", "instance_ns", "rss_bytes", "threads_speedup", "full_scans"];
        assert_eq!(compared(&row(), slow), worse);
    }

    #[test]
    fn a_slower_machine_is_no_regression() {
        let mut slow = row();
        for figure in slow.figures.values_mut() {
            figure.median_ns *= 3;
        }
        slow.instance_ns *= 3;
        assert_eq!(compared(&row(), slow), [""; 0]);
    }

    #[test]
    fn another_set_is_not_compared() {
        let other = Row { policies: 100, ..row() };
        let found = Earlier { rows: vec![as_object(&row()).unwrap()] }.compare(&[other], 20).unwrap();
        assert_eq!((found.compared, found.unknown), (0, vec!["generated (100)".to_owned()]));
    }
}
