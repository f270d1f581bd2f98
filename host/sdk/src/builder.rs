//! Builds a decision point, with explicit defaults.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bundle::Bundle;
#[cfg(feature = "compiler")]
use crate::code_cache::CodeCache;
use crate::component::Component;
use crate::deadline::Patience;
use crate::engine::{CodeSource, Runtime};
use crate::error::{BuildError, EngineError};
use crate::metrics::Metrics;
use crate::observer::Observer;
use crate::pdp::Pdp;
use crate::policy_set::{Allowance, PolicySet};
use crate::worker::Worker;

/// Processor time of a decision.
const DEADLINE: Duration = Duration::from_millis(10);

/// Wall time of a decision: a thread that shares its processor with two dozen others still computes for the deadline.
const WALL_DEADLINE: Duration = Duration::from_millis(250);

/// How long a decision waits for an instance: a burst of some thousand requests is worked off meanwhile.
const QUEUE_DEADLINE: Duration = Duration::from_millis(250);

/// Processor time of preparing a principal when the host asks for it by itself.
const PREPARE_DEADLINE: Duration = Duration::from_millis(250);

/// Processor time of loading a policy set.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

/// How many times its processor time something may take on the wall, while others use the processor.
const WALL_PER_CPU: u32 = 10;

/// Memory of an instance that decides.
const MEMORY_BYTES: usize = 256 << 20;

/// Memory of the instance that loads and validates, which is thrown away.
const LOAD_MEMORY_BYTES: usize = 512 << 20;

/// Instances, each with memory of its own: more than any machine has cores for.
const INSTANCES_MAX: usize = 1_024;

/// Decisions that are remembered.
const REMEMBERED: usize = 100_000;

/// As much processor time, and room to wait for the processor.
fn spacious(cpu: Duration) -> Patience {
    Patience::new(cpu, cpu.saturating_mul(WALL_PER_CPU))
}

/// Settings of a [`Pdp`]. Each has a default that suits a proxy.
#[must_use]
pub struct PdpBuilder {
    bundle: Bundle,
    component: Component,
    #[cfg(feature = "compiler")]
    cache: CodeCache,
    precompiled: Option<&'static [u8]>,
    allowance: Allowance,
    observer: Option<Arc<dyn Observer>>,
    timings: bool,
}

impl PdpBuilder {
    pub(crate) fn new() -> Self {
        Self {
            bundle: Bundle::default_set(),
            component: Component::built_in(),
            #[cfg(feature = "compiler")]
            cache: CodeCache::user(),
            precompiled: None,
            allowance: Allowance {
                decide: Patience { cpu: DEADLINE, wall: WALL_DEADLINE },
                prepare: spacious(PREPARE_DEADLINE),
                load: spacious(LOAD_DEADLINE),
                queue: QUEUE_DEADLINE,
                memory_bytes: MEMORY_BYTES,
                load_memory_bytes: LOAD_MEMORY_BYTES,
                instances_max: thread::available_parallelism().map_or(1, NonZeroUsize::get).min(INSTANCES_MAX),
                remembered: REMEMBERED,
            },
            observer: None,
            timings: false,
        }
    }

    /// The policies. Default: those that come with the crate.
    pub fn bundle(mut self, bundle: Bundle) -> Self {
        self.bundle = bundle;
        self
    }

    /// How long a decision may compute: the processor time of the thread that asks. Default: 10 ms. Beyond it the
    /// denial is `policy_timeout`. The clock ticks once a millisecond, and the first two ticks are free. Where a
    /// thread's processor time cannot be read, it is five times as much wall time.
    ///
    /// The [`wall_deadline`](Self::wall_deadline) becomes ten times as much, and 250 ms at least: another one is set
    /// after this.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        let Patience { cpu, wall } = spacious(deadline);
        self.allowance.decide = Patience::new(cpu, wall.max(WALL_DEADLINE));
        self
    }

    /// How long a decision may take on the wall once it has an instance, its waiting for a processor included.
    /// Default: 250 ms; never less than the deadline. Beyond it the denial is `policy_busy`.
    pub fn wall_deadline(mut self, deadline: Duration) -> Self {
        self.allowance.decide = Patience::new(self.allowance.decide.cpu, deadline);
        self
    }

    /// How long a decision waits for an instance where all are in use. Default: 250 ms; never less than the deadline.
    /// Beyond it the denial is `policy_busy`.
    pub fn queue_deadline(mut self, deadline: Duration) -> Self {
        self.allowance.queue = deadline;
        self
    }

    /// How long [`Pdp::principal`] may compute. Default: 250 ms, and ten times as much on the wall. What a decision
    /// has to prepare counts as part of the decision.
    pub fn prepare_deadline(mut self, deadline: Duration) -> Self {
        self.allowance.prepare = spacious(deadline);
        self
    }

    /// How long loading a policy set may compute. Default: 30 s, and ten times as much on the wall.
    pub fn load_deadline(mut self, deadline: Duration) -> Self {
        self.allowance.load = spacious(deadline);
        self
    }

    /// Instances that decide at the same time, 1 to 1,024; what lies beyond is taken for the nearest of the two.
    /// Default: the number of cores.
    pub fn instances_max(mut self, instances: usize) -> Self {
        self.allowance.instances_max = instances.clamp(1, INSTANCES_MAX);
        self
    }

    /// Decisions that are remembered for as long as the component says that they hold. Default: 100,000, which take
    /// up to some 40 MB. Zero: every decision is made by the component. One principal's are an eighth of them at
    /// most. The set's `max_cache_ms` is for caches elsewhere and counts here only where it is zero: then nothing is
    /// remembered.
    pub fn remember(mut self, decisions: usize) -> Self {
        self.allowance.remembered = decisions;
        self
    }

    /// Memory of one instance that decides, in bytes. Default: 256 MiB.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.allowance.memory_bytes = bytes;
        self
    }

    /// Memory of the instance that loads and validates, in bytes. Default: 512 MiB.
    pub fn load_memory_bytes(mut self, bytes: usize) -> Self {
        self.allowance.load_memory_bytes = bytes;
        self
    }

    /// The component that decides. Default: the one that is built into the crate.
    pub fn component(mut self, component: Component) -> Self {
        self.component = component;
        self
    }

    /// Where compiled code and compiled policies are kept. Default: the user's cache folder.
    #[cfg(feature = "compiler")]
    pub fn cache_dir(mut self, cache: CodeCache) -> Self {
        self.cache = cache;
        self
    }

    /// Code that was compiled ahead with [`precompile`](crate::precompile) or `kt component compile`, and
    /// built into the host: no compiler is needed and no file has to be trusted.
    ///
    /// # Safety
    ///
    /// The bytes are machine code that runs unchecked. They must be what `precompile` of this version returned for
    /// the component of this builder, unchanged.
    #[expect(unsafe_code, reason = "only the caller can know where the bytes come from")]
    pub unsafe fn precompiled(mut self, code: &'static [u8]) -> Self {
        self.precompiled = Some(code);
        self
    }

    /// Who is told of every decision and reload. Default: nobody.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Whether decisions and preparations are timed for [`Pdp::metrics`]. Default: no. It reads the clock twice for
    /// each decision, which is some 70 ns: a quarter of a remembered one.
    pub fn timings(mut self, timings: bool) -> Self {
        self.timings = timings;
        self
    }

    /// Compiles the component and loads the policies, or takes either from the cache. Blocks: the first start without
    /// a cache takes 3 to 4 seconds, one with it hundredths of a second.
    ///
    /// # Errors
    ///
    /// [`BuildError::Engine`] where the component cannot be compiled, linked or run on this machine;
    /// [`BuildError::Load`] where the policies cannot be loaded.
    pub fn build(self) -> Result<Pdp, BuildError> {
        let source = self.code_source()?;
        let Self { bundle, component, allowance, observer, timings, .. } = self;
        let worker = Worker::start().map_err(EngineError::thread)?;
        let metrics = Metrics::default();
        let settings = allowance.clone();
        // On the SDK's own thread, whose stack is large enough whatever thread builds.
        let built = worker.run(move || -> Result<_, BuildError> {
            let runtime = Runtime::shared(&component, &source)?;
            let set = match &source {
                #[cfg(feature = "compiler")]
                CodeSource::Compiler(cache) => {
                    let place = (cache, component.digest());
                    PolicySet::load_kept(&runtime, &bundle, &settings, &metrics, place)?
                }
                CodeSource::Ahead(_) => PolicySet::load(&runtime, &bundle, &settings, &metrics)?,
            };
            Ok((runtime, set, metrics))
        });
        let ended = || EngineError::Engine { cause: "the thread that loads ended early".to_owned() };
        let (runtime, set, metrics) = built.wait().ok_or_else(ended)??;
        Ok(Pdp::assemble(runtime, set, metrics, allowance, observer, timings, worker))
    }

    #[cfg(feature = "compiler")]
    fn code_source(&self) -> Result<CodeSource, EngineError> {
        Ok(self.precompiled.map_or_else(|| CodeSource::Compiler(self.cache.clone()), CodeSource::Ahead))
    }

    #[cfg(not(feature = "compiler"))]
    fn code_source(&self) -> Result<CodeSource, EngineError> {
        self.precompiled.map(CodeSource::Ahead).ok_or(EngineError::NoCode)
    }
}
