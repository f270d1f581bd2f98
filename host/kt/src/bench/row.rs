//! The measures of one policy set.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::figure::{Figure, Kind};
use super::memory::Memory;

/// Which set was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetName {
    /// The one that is built in.
    Default,
    /// The one of `--policies`.
    Given,
    /// A generated one.
    Generated,
}

impl SetName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Given => "given",
            Self::Generated => "generated",
        }
    }
}

/// The measures of one set: an object of the command's JSON.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) set: SetName,
    pub(crate) policies: usize,
    pub(crate) seed: u64,
    pub(crate) figures: BTreeMap<Kind, Figure>,
    /// Decisions about requests that were not seen, and how many of them visited every policy.
    pub(crate) decisions: u64,
    pub(crate) full_scans: u64,
    /// Decisions a second on two threads, by those on one.
    pub(crate) threads_speedup: Option<f64>,
    /// How long a further instance takes to be ready.
    pub(crate) instance_ns: u64,
    pub(crate) memory: Memory,
}

impl Row {
    /// The median of a kind by that of what it is measured against.
    pub(crate) fn ratio(&self, kind: Kind) -> Option<f64> {
        let of = |kind: Kind| self.figures.get(&kind).map(|figure| float(figure.median_ns));
        let (own, against) = (of(kind)?, of(kind.against()?)?);
        (against > 0.0).then(|| rounded(own / against))
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("set", self.set.name())?;
        map.serialize_entry("policies", &self.policies)?;
        map.serialize_entry("seed", &self.seed)?;
        for kind in Kind::ALL {
            let (name, figure) = (kind.name(), self.figures.get(&kind));
            map.serialize_entry(&format!("{name}_ns"), &figure.map(|figure| figure.median_ns))?;
            map.serialize_entry(&format!("{name}_p99_ns"), &figure.map(|figure| figure.p99_ns))?;
            if kind.against().is_some() {
                map.serialize_entry(&format!("{name}_ratio"), &self.ratio(kind))?;
            }
        }
        map.serialize_entry("decisions", &self.decisions)?;
        map.serialize_entry("full_scans", &self.full_scans)?;
        map.serialize_entry("threads_speedup", &self.threads_speedup.map(rounded))?;
        map.serialize_entry("instance_ns", &self.instance_ns)?;
        map.serialize_entry("rss_bytes", &self.memory.rss_bytes)?;
        map.serialize_entry("remembered", &self.memory.remembered)?;
        map.serialize_entry("remembered_bytes", &self.memory.remembered_bytes)?;
        map.end()
    }
}

pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// To four digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
