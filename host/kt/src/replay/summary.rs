//! What a replay comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::entry::{Entry, Judged, Verdict};
use super::latency::Latencies;
use crate::answer::Answer;

/// The counts of a replay.
pub(crate) struct Tally {
    policy_set: String,
    total: u64,
    matched: u64,
    mismatched: u64,
    unchecked: u64,
    errors: u64,
    allow: u64,
    unavailable: u64,
    undecided: u64,
    denials: BTreeMap<String, u64>,
    other_policy_set: u64,
    archived: u64,
    files: u64,
    unread_files: u64,
    latencies: Latencies,
}

/// The summary, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Readable records.
    pub(crate) total: u64,
    /// Records whose decision is the expected one.
    pub(crate) matched: u64,
    /// Records whose decision is another.
    pub(crate) mismatched: u64,
    /// Records that expect nothing.
    pub(crate) unchecked: u64,
    /// Lines that are not records.
    pub(crate) errors: u64,
    pub(crate) allow: u64,
    pub(crate) deny: u64,
    /// Denials for want of a decision, a part of `deny`.
    pub(crate) unavailable: u64,
    /// Denials by code.
    pub(crate) denials: BTreeMap<String, u64>,
    /// Records made under another policy set.
    pub(crate) other_policy_set: u64,
    /// Records decided by the policy set that they were made under, and not by the one named below.
    pub(crate) archived: u64,
    pub(crate) files: u64,
    /// Files that could not be read to their end.
    pub(crate) unread_files: u64,
    pub(crate) seconds: f64,
    pub(crate) decisions_per_second: f64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    /// The policy set that decided.
    pub(crate) policy_set: String,
    #[serde(skip)]
    undecided: u64,
}

impl Tally {
    pub(crate) fn new(policy_set: &str) -> Self {
        Self {
            policy_set: policy_set.to_owned(),
            total: 0,
            matched: 0,
            mismatched: 0,
            unchecked: 0,
            errors: 0,
            allow: 0,
            unavailable: 0,
            undecided: 0,
            denials: BTreeMap::new(),
            other_policy_set: 0,
            archived: 0,
            files: 0,
            unread_files: 0,
            latencies: Latencies::default(),
        }
    }

    pub(crate) fn note(&mut self, entry: &Entry) {
        match &entry.result {
            Err(_) => add_one(&mut self.errors),
            Ok(judged) => self.note_judged(judged),
        }
    }

    fn note_judged(&mut self, judged: &Judged) {
        let Judged { ruling, verdict, elapsed, .. } = judged;
        add_one(&mut self.total);
        add_one(match verdict {
            Verdict::Matched => &mut self.matched,
            Verdict::Mismatched => &mut self.mismatched,
            Verdict::Unchecked => &mut self.unchecked,
        });
        match ruling.code() {
            None => add_one(&mut self.allow),
            Some(code) => match self.denials.get_mut(code) {
                Some(count) => add_one(count),
                None => drop(self.denials.insert(code.to_owned(), 1)),
            },
        }
        if ruling.is_unavailable() {
            add_one(&mut self.unavailable);
        }
        if ruling.is_fault() && *verdict != Verdict::Matched {
            add_one(&mut self.undecided);
        }
        if self.is_of_another_set(judged) {
            add_one(&mut self.other_policy_set);
        } else if judged.pdp.info().digest() != self.policy_set {
            add_one(&mut self.archived);
        }
        if let Some(elapsed) = elapsed {
            self.latencies.note(*elapsed);
        }
    }

    /// Whether a record was made under another policy set than the one that decides here.
    pub(crate) fn is_of_another_set(&self, judged: &Judged) -> bool {
        judged.record.policy_set().is_some_and(|digest| digest != judged.pdp.info().digest())
    }

    pub(crate) fn note_file(&mut self) {
        add_one(&mut self.files);
    }

    pub(crate) fn note_unread_file(&mut self) {
        add_one(&mut self.unread_files);
    }

    /// Readable records so far.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn finish(self, elapsed: Duration) -> Summary {
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { self.total as f64 / seconds } else { 0.0 };
        Summary {
            total: self.total,
            matched: self.matched,
            mismatched: self.mismatched,
            unchecked: self.unchecked,
            errors: self.errors,
            allow: self.allow,
            deny: self.total.saturating_sub(self.allow),
            unavailable: self.unavailable,
            denials: self.denials,
            other_policy_set: self.other_policy_set,
            archived: self.archived,
            files: self.files,
            unread_files: self.unread_files,
            seconds: (seconds * 1e6).round() / 1e6,
            decisions_per_second: rate.round(),
            p50_ns: self.latencies.percentile_ns(50),
            p99_ns: self.latencies.percentile_ns(99),
            policy_set: self.policy_set,
            undecided: self.undecided,
        }
    }
}

impl Summary {
    /// What the replay answers: whatever is not known comes before whatever does not match.
    pub(crate) fn answer(&self) -> Answer {
        if self.errors > 0 || self.unread_files > 0 || self.undecided > 0 {
            Answer::CannotSay
        } else {
            Answer::yes_if(self.mismatched == 0)
        }
    }
}

fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}
