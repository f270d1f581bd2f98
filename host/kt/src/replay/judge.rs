//! From a line to a verdict.

use std::time::Instant;

use cedargate::Pdp;
use cedargate::model::Record;

use super::entry::{Entry, Judged, Verdict};
use super::lines::Line;
use super::principals::Principals;
use crate::ruling;

/// Judges lines. One is shared by all threads.
pub(crate) struct Judge {
    pdp: Pdp,
    principals: Principals,
}

impl Judge {
    pub(crate) fn new(pdp: Pdp) -> Self {
        Self { pdp, principals: Principals::default() }
    }

    /// Reads a line as a record, asks for its decision, and compares.
    pub(crate) fn judge(&self, line: Line) -> Entry {
        Entry { line: line.number, result: self.result(line) }
    }

    fn result(&self, line: Line) -> Result<Judged, String> {
        let text = line.text.map_err(|bad| bad.to_string())?;
        let record = Record::from_line(&text).map_err(|error| error.to_string())?;
        let prepared = self.principals.get(&self.pdp, record.principal()).map_err(|error| error.to_string())?;
        let started = Instant::now();
        let ruling = ruling::rule(&self.pdp, &prepared, &record).map_err(|unreadable| unreadable.reason)?;
        let elapsed = prepared.is_ok().then(|| started.elapsed());
        let verdict = Verdict::of(record.expect(), &ruling);
        Ok(Judged { record, ruling, verdict, elapsed })
    }
}
