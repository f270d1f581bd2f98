//! A policy set that is measured, and decision points for it.

use std::time::Duration;

use cedargate::{BuildError, Bundle, BundleError, Pdp};
use cedargate_yardstick::sets::GeneratedSet;
use cedargate_yardstick::traffic::Traffic;

use super::row::SetName;
use super::source::Recorded;
use crate::policies;

/// Instances that the decision point may have whose instances are timed: its first, and one more for each timing.
pub(crate) const INSTANCES_MAX: usize = 6;

/// How long a set may take to load: a tool would rather wait.
const LOAD_DEADLINE: Duration = Duration::from_secs(300);

/// A policy set that is measured.
pub(crate) struct Subject {
    pub(crate) set: SetName,
    pub(crate) bundle: Bundle,
    pub(crate) seed: u64,
    generated: Option<GeneratedSet>,
    recorded: Option<Vec<Recorded>>,
}

impl Subject {
    /// The built-in set or the one of `--policies`, with recorded requests or generated ones.
    pub(crate) fn own(set: SetName, bundle: Bundle, seed: u64, recorded: Option<Vec<Recorded>>) -> Self {
        Self { set, bundle, seed, generated: None, recorded }
    }

    /// A generated set.
    pub(crate) fn generated(policies: usize, seed: u64) -> Result<Self, BundleError> {
        let generated = GeneratedSet::new(policies, seed);
        let bundle = generated.bundle()?;
        Ok(Self { set: SetName::Generated, bundle, seed, generated: Some(generated), recorded: None })
    }

    /// How many policies the generated set has; `None` for another.
    pub(crate) fn size(&self) -> Option<usize> {
        self.generated.as_ref().map(GeneratedSet::policies)
    }

    /// What was recorded, once.
    pub(crate) fn take_recorded(&mut self) -> Option<Vec<Recorded>> {
        self.recorded.take()
    }

    /// Requests for this set, others for every use.
    pub(crate) fn traffic(&self, usage: Usage) -> Traffic {
        let seed = self.seed.wrapping_mul(31).wrapping_add(usage as u64);
        match &self.generated {
            Some(set) => Traffic::generated(set, seed),
            None => Traffic::default_set(seed),
        }
    }

    /// A decision point, remembering as it does by default or so many decisions.
    pub(crate) fn build(&self, instances: usize, remembered: Option<usize>) -> Result<Pdp, BuildError> {
        let builder = policies::builder(self.bundle.clone(), instances).load_deadline(LOAD_DEADLINE);
        match remembered {
            Some(decisions) => builder.remember(decisions).build(),
            None => builder.build(),
        }
    }
}

/// What requests are drawn for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Usage {
    Measure,
    Threads,
    Memory,
}
