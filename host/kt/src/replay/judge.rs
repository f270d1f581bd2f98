//! From a line to a verdict.

use std::sync::Arc;
use std::time::Instant;

use cedargate::Pdp;
use cedargate::model::Record;

use super::archive::Archive;
use super::entry::{Entry, Judged, Verdict};
use super::lines::Line;
use super::principals::Principals;
use crate::ruling;

/// Judges lines. One is shared by all threads.
pub(crate) struct Judge {
    rules: Arc<Rules>,
    archive: Option<Archive>,
}

/// A policy set, and the principals that were prepared for it.
pub(crate) struct Rules {
    pdp: Pdp,
    principals: Principals,
}

impl Rules {
    pub(crate) fn new(pdp: Pdp) -> Self {
        Self { pdp, principals: Principals::default() }
    }
}

impl Judge {
    /// Judges by one policy set; with an archive, each record by the set that it was made under.
    pub(crate) fn new(pdp: Pdp, archive: Option<Archive>) -> Self {
        Self { rules: Arc::new(Rules::new(pdp)), archive }
    }

    /// Reads a line as a record, asks for its decision, and compares.
    pub(crate) fn judge(&self, line: Line) -> Entry {
        Entry { line: line.number, result: self.result(line) }
    }

    fn result(&self, line: Line) -> Result<Judged, String> {
        let text = line.text.map_err(|bad| bad.to_string())?;
        let record = Record::from_line(&text).map_err(|error| error.to_string())?;
        let rules = self.rules(&record)?;
        let pdp = rules.pdp.clone();
        let prepared = rules.principals.get(&pdp, record.principal()).map_err(|error| error.to_string())?;
        let started = Instant::now();
        let ruling = ruling::rule(&pdp, &prepared, &record).map_err(|unreadable| unreadable.reason(&text))?;
        let elapsed = prepared.is_ok().then(|| started.elapsed());
        let verdict = Verdict::of(record.expect(), &ruling);
        Ok(Judged { record, pdp, ruling, verdict, elapsed })
    }

    /// The policy set that decides a record.
    fn rules(&self, record: &Record) -> Result<Arc<Rules>, String> {
        match (&self.archive, record.policy_set()) {
            (Some(archive), Some(digest)) if digest != self.rules.pdp.info().digest() => archive.get(digest),
            _ => Ok(Arc::clone(&self.rules)),
        }
    }
}
