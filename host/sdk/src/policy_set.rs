//! A loaded set: its description, its instances, its counters. Loading happens in a guest that is thrown away.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::bundle::Bundle;
#[cfg(feature = "compiler")]
use crate::code_cache::CodeCache;
use crate::convert;
use crate::deadline::{Deadline, Patience};
use crate::decision::Decision;
use crate::engine::Runtime;
use crate::error::LoadError;
use crate::info::PolicySetInfo;
use crate::instance::{Bounds, Failure, Guest};
use crate::limits::Limits;
use crate::metrics::{Counter, Metrics};
use crate::outcome::Outcome;
use crate::pool::{Pool, Recipe};
use crate::remembered::Remembered;
#[cfg(feature = "compiler")]
use crate::set_cache::SetCache;

/// The versions of the contract that this host speaks start so.
const CONTRACT: &str = "0.1.";

/// Bytes of a reply while loading and while deciding, where no limit says otherwise.
const LOAD_REPLY_BYTES: u64 = 64 << 20;
const REPLY_BYTES: u64 = 64 << 10;

/// What loading and deciding may take.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    pub(crate) decide: Patience,
    pub(crate) prepare: Patience,
    pub(crate) load: Patience,
    pub(crate) queue: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) load_memory_bytes: usize,
    pub(crate) instances_max: usize,
    pub(crate) remembered: usize,
}

impl Allowance {
    /// How long to wait for an instance: who may compute for longer is not impatient.
    pub(crate) fn queue(&self) -> Duration {
        self.queue.max(self.decide.cpu)
    }
}

/// One policy set in force.
pub(crate) struct PolicySet {
    pub(crate) info: Arc<PolicySetInfo>,
    pub(crate) pool: Pool,
    /// What was decided and still holds.
    pub(crate) remembered: Option<Remembered>,
    /// Counters of decisions, by deciding policy: looked up once, at load.
    by_policy: Vec<Counter>,
    /// Counters of decisions without one, by outcome.
    by_outcome: Vec<Counter>,
}

/// A set as an instance restores it, and its description.
pub(crate) struct Compiled {
    pub(crate) info: String,
    pub(crate) image: Vec<u8>,
}

impl Compiled {
    /// Loads a bundle in a guest that is thrown away, since linear memory never shrinks.
    fn load(runtime: &Arc<Runtime>, bundle: &str, limits: &Limits, allowance: &Allowance) -> Result<Self, LoadError> {
        let bounds = Bounds {
            memory_bytes: allowance.load_memory_bytes,
            reply_bytes: size(limits.load_reply_bytes.unwrap_or(LOAD_REPLY_BYTES)),
        };
        let deadline = &mut Deadline::start(allowance.load);
        let mut guest = Guest::new(runtime, bounds, deadline)?;
        check_contract(&guest.abi(deadline)?)?;
        let set = guest.load(bundle, deadline)?.map_err(convert::load_error)?;
        Ok(Self { info: guest.info(set, deadline)?, image: guest.image(set, deadline)? })
    }
}

impl PolicySet {
    /// Loads a bundle and restores its image in the first instance that decides.
    pub(crate) fn load(
        runtime: &Arc<Runtime>,
        bundle: &Bundle,
        allowance: &Allowance,
        metrics: &Metrics,
    ) -> Result<Self, LoadError> {
        // The guest that loaded is gone by now: the two do not hold memory at once.
        let compiled = Compiled::load(runtime, &bundle.to_text()?, &bundle.limits(), allowance)?;
        Self::start(runtime, compiled, &bundle.limits(), allowance, metrics)
    }

    /// As [`load`](Self::load), and keeps what was loaded for the next start.
    #[cfg(feature = "compiler")]
    pub(crate) fn load_kept(
        runtime: &Arc<Runtime>,
        bundle: &Bundle,
        allowance: &Allowance,
        metrics: &Metrics,
        (cache, component): (&CodeCache, &str),
    ) -> Result<Self, LoadError> {
        let text = bundle.to_text()?;
        let cache = SetCache::new(cache, component, &text);
        if let Some(kept) = cache.load() {
            match Self::start(runtime, kept, &bundle.limits(), allowance, metrics) {
                Ok(set) => return Ok(set),
                Err(error) => tracing::warn!(%error, "a policy set that was kept cannot be used: loading it again"),
            }
        }
        let compiled = Compiled::load(runtime, &text, &bundle.limits(), allowance)?;
        cache.store(&compiled);
        Self::start(runtime, compiled, &bundle.limits(), allowance, metrics)
    }

    fn start(
        runtime: &Arc<Runtime>,
        Compiled { info, image }: Compiled,
        limits: &Limits,
        allowance: &Allowance,
        metrics: &Metrics,
    ) -> Result<Self, LoadError> {
        let info = PolicySetInfo::from_text(&info).map_err(|cause| LoadError::Contract { cause })?;
        let recipe = Recipe {
            runtime: Arc::clone(runtime),
            bounds: Bounds {
                memory_bytes: allowance.memory_bytes,
                reply_bytes: size(limits.reply_bytes.unwrap_or(REPLY_BYTES)),
            },
            image,
            restore: allowance.load,
            instances_max: allowance.instances_max,
        };
        let pool = Pool::new(recipe)?;
        Ok(Self::new(info, pool, Remembered::new(allowance.remembered), metrics))
    }

    fn new(info: PolicySetInfo, pool: Pool, remembered: Option<Remembered>, metrics: &Metrics) -> Self {
        let class = |status: Option<u16>| {
            Outcome::ALL.into_iter().find(|outcome| Some(outcome.default_status()) == status && outcome.has_policy())
        };
        let by_policy = info
            .policies()
            .iter()
            .map(|policy| {
                let outcome = class(policy.status).unwrap_or(Outcome::Forbidden);
                metrics.decisions(outcome, policy.code.as_deref().unwrap_or_default())
            })
            .collect();
        let by_outcome = Outcome::ALL
            .into_iter()
            .map(|outcome| {
                let code = info.outcome(outcome).and_then(|entry| entry.code.as_deref());
                metrics.decisions(outcome, code.unwrap_or_default())
            })
            .collect();
        Self { info: Arc::new(info), pool, remembered, by_policy, by_outcome }
    }

    /// Counts a decision by the policy that it rests on, or by its outcome where it rests on none.
    pub(crate) fn count(&self, decision: &Decision) {
        self.add(decision, 1);
    }

    /// Counts so many decisions that are ruled alike.
    pub(crate) fn add(&self, decision: &Decision, n: usize) {
        let counter = match decision.ruling.deciding {
            Some(index) => usize::try_from(index).ok().and_then(|index| self.by_policy.get(index)),
            None => self.by_outcome.get(decision.outcome().index()),
        };
        if let Some(counter) = counter {
            counter.add(n);
        }
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        let Failure { fault, cause } = failure;
        Self::Fault { fault, cause }
    }
}

fn check_contract(abi: &str) -> Result<(), LoadError> {
    let contract = |cause| LoadError::Contract { cause };
    let abi = Abi::read(abi).map_err(contract)?;
    if abi.contract.starts_with(CONTRACT) {
        return Ok(());
    }
    let spoken: String = abi.contract.chars().take(32).collect();
    Err(contract(format!("it speaks version `{spoken}` and this host {CONTRACT}x")))
}

/// What the component says of itself.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(feature = "compiler"), expect(dead_code, reason = "described by builds with the compiler only"))]
pub(crate) struct Abi {
    pub(crate) contract: String,
    pub(crate) plugin: String,
    pub(crate) cedar_language: String,
}

impl Abi {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("its `abi` cannot be read: {error}"))
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
