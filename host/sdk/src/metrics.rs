//! Counts and times. No label comes from a request: codes come from policy sets, which are few.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::fault::Fault;
use crate::outcome::Outcome;
use crate::pool::InstanceCounts;
use crate::thread_number::thread_number;

/// Counts one thing.
pub(crate) type Counter = Arc<Striped>;

/// Cells of a counter. Two threads that count in one cell wait for each other's cache line.
const STRIPES: usize = 16;

/// A cell on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct CacheLine(AtomicU64);

/// A counter that many threads count in.
#[derive(Default)]
pub(crate) struct Striped([CacheLine; STRIPES]);

impl Striped {
    pub(crate) fn count(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: usize) {
        if let Some(CacheLine(cell)) = self.0.get(thread_number() % STRIPES) {
            cell.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|CacheLine(cell)| cell.load(Ordering::Relaxed)).sum()
    }
}

/// Upper bounds of a histogram's buckets, in nanoseconds.
const BOUNDS_NS: [u64; 16] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

/// What a decision point counts.
#[derive(Default)]
pub(crate) struct Metrics {
    decisions: Mutex<BTreeMap<(Outcome, String), Counter>>,
    faults: [AtomicU64; Fault::ALL.len()],
    traps: [AtomicU64; Fault::ALL.len()],
    reloads: AtomicU64,
    reload_failures: AtomicU64,
    /// Decisions that were remembered.
    pub(crate) remembered: Striped,
    /// Decisions for which Cedar's evaluator looked at every policy.
    pub(crate) full_scans: Striped,
    pub(crate) decide: Times,
    pub(crate) decide_remembered: Times,
    pub(crate) prepare: Times,
}

impl Metrics {
    /// The counter of an outcome and a code. Looked up when a set is loaded, not when a request is decided.
    pub(crate) fn decisions(&self, outcome: Outcome, code: &str) -> Counter {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(decisions.entry((outcome, code.to_owned())).or_default())
    }

    /// A request was denied with this fault.
    pub(crate) fn fault(&self, fault: Fault) {
        count(&self.faults, fault);
    }

    /// An instance was dropped for this fault.
    pub(crate) fn trap(&self, fault: Fault) {
        count(&self.traps, fault);
    }

    pub(crate) fn reload(&self, succeeded: bool) {
        let counter = if succeeded { &self.reloads } else { &self.reload_failures };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, instances: InstanceCounts, policy_set: &str, component: &str) -> MetricsSnapshot {
        let decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted: Vec<DecisionCount> = decisions
            .iter()
            .map(|((outcome, code), count)| DecisionCount {
                outcome: *outcome,
                code: code.clone(),
                count: count.total(),
            })
            .collect();
        drop(decisions);
        counted.retain(|decision| decision.count > 0);
        let faults = counts(&self.faults);
        let by_fault = faults.iter().filter(|(_, count)| *count > 0).map(|(fault, count)| DecisionCount {
            outcome: Outcome::Unavailable,
            code: fault.code().to_owned(),
            count: *count,
        });
        counted.extend(by_fault);
        MetricsSnapshot {
            decisions: counted,
            traps: counts(&self.traps).into_iter().filter(|(fault, _)| fault.is_trap()).collect(),
            busy: faults.iter().find(|(fault, _)| *fault == Fault::Busy).map_or(0, |(_, count)| *count),
            instances,
            reloads: self.reloads.load(Ordering::Relaxed),
            reload_failures: self.reload_failures.load(Ordering::Relaxed),
            remembered: self.remembered.total(),
            full_scans: self.full_scans.total(),
            decide: self.decide.snapshot(),
            decide_remembered: self.decide_remembered.snapshot(),
            prepare: self.prepare.snapshot(),
            policy_set: policy_set.to_owned(),
            component: component.to_owned(),
        }
    }
}

fn count(counters: &[AtomicU64; Fault::ALL.len()], fault: Fault) {
    let index = Fault::ALL.iter().position(|known| *known == fault);
    if let Some(counter) = index.and_then(|index| counters.get(index)) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn counts(counters: &[AtomicU64; Fault::ALL.len()]) -> Vec<(Fault, u64)> {
    Fault::ALL.into_iter().zip(counters).map(|(fault, count)| (fault, count.load(Ordering::Relaxed))).collect()
}

/// A histogram. Every duration is in one bucket or beyond them all, so that no count is kept that could differ. Its cells
/// are kilobytes, too many for the stack of whoever builds.
pub(crate) struct Times(Box<[Cell]>);

/// What the threads of one stripe measured, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Cell {
    buckets: [AtomicU64; BOUNDS_NS.len()],
    beyond: AtomicU64,
    sum_ns: AtomicU64,
}

impl Default for Times {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Cell::default()).collect())
    }
}

impl Times {
    pub(crate) fn note(&self, elapsed: Duration) {
        self.note_many(elapsed, 1);
    }

    /// Notes a duration that so many had.
    pub(crate) fn note_many(&self, elapsed: Duration, n: usize) {
        let Some(cell) = self.0.get(thread_number() % STRIPES) else { return };
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < nanos);
        cell.buckets.get(bucket).unwrap_or(&cell.beyond).fetch_add(n, Ordering::Relaxed);
        cell.sum_ns.fetch_add(nanos.saturating_mul(n), Ordering::Relaxed);
    }

    fn snapshot(&self) -> Histogram {
        let total = |of: &dyn Fn(&Cell) -> Option<&AtomicU64>| {
            self.0.iter().filter_map(of).map(|count| count.load(Ordering::Relaxed)).sum::<u64>()
        };
        let mut below = 0_u64;
        let buckets = BOUNDS_NS
            .into_iter()
            .enumerate()
            .map(|(place, bound)| {
                below = below.saturating_add(total(&|cell| cell.buckets.get(place)));
                (Duration::from_nanos(bound), below)
            })
            .collect();
        Histogram {
            buckets,
            count: below.saturating_add(total(&|cell| Some(&cell.beyond))),
            sum: Duration::from_nanos(total(&|cell| Some(&cell.sum_ns))),
        }
    }
}

/// What a decision point counted so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Decisions by outcome and code.
    pub decisions: Vec<DecisionCount>,
    /// Instances that were dropped, by the kind of the fault.
    pub traps: Vec<(Fault, u64)>,
    /// Requests that got no instance, or no processor, in time.
    pub busy: u64,
    /// Instances of the set in force, by state.
    pub instances: InstanceCounts,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Reloads that left the last good set in force.
    pub reload_failures: u64,
    /// Decisions that were remembered: the component had declared them to hold, and was not asked again.
    pub remembered: u64,
    /// Decisions for which every policy was looked at, since one of the set has no compiled form. The compiled form
    /// covers the whole language that the validator admits, so this stays 0.
    pub full_scans: u64,
    /// Seconds of decisions by the component. Empty unless [`PdpBuilder::timings`](crate::PdpBuilder::timings) is
    /// on.
    pub decide: Histogram,
    /// Seconds of remembered decisions. Empty unless [`PdpBuilder::timings`](crate::PdpBuilder::timings) is on.
    pub decide_remembered: Histogram,
    /// Seconds of preparing principals. Empty unless [`PdpBuilder::timings`](crate::PdpBuilder::timings) is on.
    pub prepare: Histogram,
    /// The digest of the policy set in force.
    pub policy_set: String,
    /// The digest of the component.
    pub component: String,
}

/// How often a decision was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecisionCount {
    /// Its class.
    pub outcome: Outcome,
    /// Its code; empty for an allow.
    pub code: String,
    /// How often.
    pub count: u64,
}

/// Durations in buckets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Histogram {
    /// Upper bounds, and how many durations lie at or below each.
    pub buckets: Vec<(Duration, u64)>,
    /// All durations.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
}

impl MetricsSnapshot {
    /// The snapshot in Prometheus' text format.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "# TYPE cedargate_decisions_total counter")?;
        for DecisionCount { outcome, code, count } in &self.decisions {
            writeln!(out, "cedargate_decisions_total{{outcome=\"{outcome}\",code=\"{code}\"}} {count}")?;
        }
        writeln!(out, "# TYPE cedargate_remembered_total counter\ncedargate_remembered_total {}", self.remembered)?;
        writeln!(out, "# TYPE cedargate_decision_seconds histogram")?;
        self.decide.write(out, "cedargate_decision_seconds", "path=\"component\"")?;
        self.decide_remembered.write(out, "cedargate_decision_seconds", "path=\"remembered\"")?;
        writeln!(out, "# TYPE cedargate_prepare_seconds histogram")?;
        self.prepare.write(out, "cedargate_prepare_seconds", "")?;
        writeln!(out, "# TYPE cedargate_traps_total counter")?;
        for (fault, count) in &self.traps {
            writeln!(out, "cedargate_traps_total{{kind=\"{}\"}} {count}", fault.code())?;
        }
        writeln!(out, "# TYPE cedargate_instances gauge")?;
        let InstanceCounts { idle, busy, making } = self.instances;
        for (state, count) in [("idle", idle), ("busy", busy), ("making", making)] {
            writeln!(out, "cedargate_instances{{state=\"{state}\"}} {count}")?;
        }
        writeln!(out, "# TYPE cedargate_busy_total counter\ncedargate_busy_total {}", self.busy)?;
        writeln!(out, "# TYPE cedargate_reloads_total counter")?;
        writeln!(out, "cedargate_reloads_total{{result=\"loaded\"}} {}", self.reloads)?;
        writeln!(out, "cedargate_reloads_total{{result=\"refused\"}} {}", self.reload_failures)?;
        writeln!(out, "# TYPE cedargate_full_scans_total counter\ncedargate_full_scans_total {}", self.full_scans)?;
        writeln!(out, "# TYPE cedargate_info gauge")?;
        writeln!(out, "cedargate_info{{policy_set=\"{}\",component=\"{}\"}} 1", self.policy_set, self.component)
    }
}

impl Histogram {
    fn write(&self, out: &mut String, name: &str, label: &str) -> fmt::Result {
        let comma = if label.is_empty() { "" } else { "," };
        for (bound, count) in &self.buckets {
            writeln!(out, "{name}_bucket{{{label}{comma}le=\"{}\"}} {count}", bound.as_secs_f64())?;
        }
        writeln!(out, "{name}_bucket{{{label}{comma}le=\"+Inf\"}} {}", self.count)?;
        let labels = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        writeln!(out, "{name}_sum{labels} {}\n{name}_count{labels} {}", self.sum.as_secs_f64(), self.count)
    }
}
