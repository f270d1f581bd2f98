//! How long a further instance takes to be ready.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use cedargate::{InstanceCounts, Pdp};

use super::figure::percentile;
use super::subject::INSTANCES_MAX;

/// The median over as many instances as the decision point may still make.
pub(crate) fn ready_ns(pdp: &Pdp) -> anyhow::Result<u64> {
    let mut times = Vec::new();
    for wanted in there(pdp).saturating_add(1)..=INSTANCES_MAX {
        let started = Instant::now();
        warm(pdp, wanted)?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let median = percentile(&times, 50).map(|time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    median.ok_or_else(|| anyhow!("no further instance could be timed: {INSTANCES_MAX} were there already"))
}

fn there(pdp: &Pdp) -> usize {
    let InstanceCounts { idle, busy, making, .. } = pdp.metrics().instances;
    idle.saturating_add(busy).saturating_add(making)
}

/// Has at least so many instances ready.
pub(crate) fn warm(pdp: &Pdp, instances: usize) -> anyhow::Result<()> {
    pdp.warm(instances).map_err(|fault| anyhow!("an instance could not be made: {}", fault.code()))
}
