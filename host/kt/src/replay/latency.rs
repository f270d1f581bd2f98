//! How long decisions took.

use std::time::Duration;

/// Values below this are counted exactly, and every power of two above is cut into this many parts: a percentile is
/// right to within 1/128 of itself, whatever the number of records.
const PARTS: u64 = 128;

/// Powers of two from [`PARTS`] up to the largest number.
const POWERS: usize = 64 - 7;

/// The values below [`PARTS`], and its parts of every power.
const BUCKETS: usize = 128 * (POWERS + 1);

/// A histogram of durations in nanoseconds, of a fixed size.
pub(crate) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Latencies {
    pub(crate) fn note(&mut self, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(nanos)) {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
    }

    /// The smallest duration that this many of a hundred decisions did not exceed, in nanoseconds; zero where there
    /// was none.
    pub(crate) fn percentile_ns(&self, percent: u64) -> u64 {
        let rank = self.total.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0_u64;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return middle(bucket);
            }
        }
        0
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.max(1).ilog2().saturating_sub(PARTS.ilog2());
    // Below the first power the value itself; above, 128 parts of each power, of which `nanos >> power` is 128..256.
    let part = nanos >> power;
    let bucket = u64::from(power).saturating_mul(PARTS).saturating_add(part);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The middle of the values that share a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < PARTS.saturating_mul(2) {
        return bucket;
    }
    let power = bucket.div_euclid(PARTS).saturating_sub(1);
    let part = bucket.saturating_sub(power.saturating_mul(PARTS));
    (part << power).saturating_add((1_u64 << power) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_whose_middle_is_near() {
        for nanos in (0..1000).chain([12_345, 999_999, 1 << 40, (1 << 50) + 12_345, u64::MAX / 3]) {
            let shown = middle(bucket(nanos));
            assert!(shown.abs_diff(nanos) <= nanos / 128, "{nanos} is shown as {shown}");
        }
        assert!(bucket(u64::MAX) < Latencies::default().counts.len());
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile_ns(50), 0);
        for nanos in 1..=100 {
            latencies.note(Duration::from_nanos(nanos));
        }
        assert_eq!((latencies.percentile_ns(50), latencies.percentile_ns(99)), (50, 99));
        latencies = Latencies::default();
        latencies.note(Duration::from_nanos(7));
        assert_eq!((latencies.percentile_ns(50), latencies.percentile_ns(99)), (7, 7));
    }
}
