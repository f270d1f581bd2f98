//! Durations in buckets, counted without a lock.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds.
const BOUNDS_US: [u64; 16] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    120_000_000,
];

#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len()],
    beyond: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn note(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.partition_point(|bound| *bound < micros);
        self.buckets.get(place).unwrap_or(&self.beyond).fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn write(&self, out: &mut String, name: &str) -> fmt::Result {
        writeln!(out, "# TYPE {name} histogram")?;
        let mut below = 0_u64;
        for (bound, count) in BOUNDS_US.iter().zip(&self.buckets) {
            below = below.saturating_add(count.load(Ordering::Relaxed));
            let seconds = Duration::from_micros(*bound).as_secs_f64();
            writeln!(out, "{name}_bucket{{le=\"{seconds}\"}} {below}")?;
        }
        let all = below.saturating_add(self.beyond.load(Ordering::Relaxed));
        let sum = Duration::from_micros(self.sum_us.load(Ordering::Relaxed)).as_secs_f64();
        writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {sum}\n{name}_count {all}")
    }
}
