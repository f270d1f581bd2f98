//! What is measured, and the numbers of it.

/// A kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Plain Cedar, in process.
    Native,
    /// A principal that was seen, a request that was not.
    Cold,
    /// A request that was seen, `at` moving on with every call, the SDK remembering.
    Warm,
    /// The same through the component, the SDK remembering nothing.
    WarmCall,
    /// The same with counters that change with every call.
    WarmCounters,
    /// A principal that was never seen, made and asked about once.
    First,
    /// One of a batch of requests that were not seen.
    ManyCold,
    /// One of a batch of requests that were seen, the SDK remembering.
    ManyWarm,
    /// The same through the component, the SDK remembering nothing.
    ManyWarmCall,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Native,
        Self::Cold,
        Self::Warm,
        Self::WarmCall,
        Self::WarmCounters,
        Self::First,
        Self::ManyCold,
        Self::ManyWarm,
        Self::ManyWarmCall,
    ];

    /// The start of its fields' names in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::WarmCall => "warm_call",
            Self::WarmCounters => "warm_counters",
            Self::First => "first",
            Self::ManyCold => "many_cold",
            Self::ManyWarm => "many_warm",
            Self::ManyWarmCall => "many_warm_call",
        }
    }

    /// Its name for people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Native => "plain Cedar",
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::WarmCall => "warm, component",
            Self::WarmCounters => "warm, counters",
            Self::First => "first of a principal",
            Self::ManyCold => "batch, cold",
            Self::ManyWarm => "batch, warm",
            Self::ManyWarmCall => "batch, component",
        }
    }

    /// What its ratio is against.
    pub(crate) const fn against(self) -> Option<Self> {
        match self {
            Self::Native => None,
            Self::Cold | Self::Warm | Self::WarmCall | Self::WarmCounters | Self::First => Some(Self::Native),
            Self::ManyCold => Some(Self::Cold),
            Self::ManyWarm => Some(Self::Warm),
            Self::ManyWarmCall => Some(Self::WarmCall),
        }
    }
}

/// The numbers of a kind, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// The best of the rounds' medians.
    pub(crate) median_ns: u64,
    /// Of all rounds together.
    pub(crate) p99_ns: u64,
}

/// The times of a kind, round by round.
#[derive(Debug, Default)]
pub(crate) struct Times {
    medians: Vec<u64>,
    all: Vec<u64>,
}

impl Times {
    /// Takes the times of another round, in nanoseconds.
    pub(crate) fn add_round(&mut self, mut times: Vec<u64>) {
        times.sort_unstable();
        self.medians.extend(percentile(&times, 50));
        self.all.extend(times);
    }

    /// The numbers; `None` where nothing was measured.
    pub(crate) fn figure(mut self) -> Option<Figure> {
        self.all.sort_unstable();
        Some(Figure { median_ns: self.medians.into_iter().min()?, p99_ns: percentile(&self.all, 99)? })
    }
}

/// The smallest of sorted values that this many of a hundred do not exceed.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_median_counts_and_the_worst_times_of_all_rounds() {
        let mut times = Times::default();
        assert_eq!(Times::default().figure(), None);
        times.add_round(vec![5, 1, 3]);
        times.add_round(Vec::new());
        times.add_round(vec![2, 2, 900]);
        assert_eq!(times.figure(), Some(Figure { median_ns: 2, p99_ns: 900 }));
    }
}
