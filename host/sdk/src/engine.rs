//! The engine: one for any number of policy sets of a process.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, getpid};
use wasmtime::component::{Component as Code, Linker};
use wasmtime::{Config, Engine};

use crate::bindings::PluginPre;
#[cfg(feature = "compiler")]
use crate::code_cache::CodeCache;
use crate::component::Component;
use crate::error::EngineError;
use crate::instance::StoreState;

/// The clock of deadlines.
pub(crate) const TICK_MS: u64 = 1;

/// What a call may use of the thread's own stack. The guest's stack proper lies in its linear memory.
pub(crate) const WASM_STACK_BYTES: usize = 256 << 10;

/// Where the machine code of a component comes from.
pub(crate) enum CodeSource {
    /// Compiled by this process, or by an earlier one that kept it.
    #[cfg(feature = "compiler")]
    Compiler(CodeCache),
    /// Compiled ahead, and vouched for by the caller of `PdpBuilder::precompiled`.
    Ahead(&'static [u8]),
}

/// A compiled component with the engine that runs it. It belongs to the process that made it: after a `fork`
/// nothing advances the clock of deadlines, so nothing may be entered.
pub(crate) struct Runtime {
    engine: Engine,
    plugin: PluginPre<StoreState>,
    digest: String,
    process: Pid,
}

impl Runtime {
    /// The runtime of this process for this component, made at first use and shared afterwards.
    pub(crate) fn shared(component: &Component, source: &CodeSource) -> Result<Arc<Self>, EngineError> {
        let mut runtimes = runtimes();
        if let Some(runtimes) = &mut runtimes {
            runtimes.retain(|runtime| runtime.strong_count() > 0);
            let known = runtimes.iter().filter_map(Weak::upgrade).find(|runtime| runtime.digest == component.digest());
            if let Some(runtime) = known {
                return Ok(runtime);
            }
        }
        let runtime = Arc::new(Self::new(component, source)?);
        if let Some(runtimes) = &mut runtimes {
            runtimes.push(Arc::downgrade(&runtime));
        }
        Ok(runtime)
    }

    fn new(component: &Component, source: &CodeSource) -> Result<Self, EngineError> {
        let engine = Engine::new(&config()).map_err(EngineError::engine)?;
        let code = match source {
            #[cfg(feature = "compiler")]
            CodeSource::Compiler(cache) => cache.code(&engine, component)?,
            CodeSource::Ahead(bytes) => deserialize(&engine, bytes)?,
        };
        // An empty linker: a component that imports anything does not link.
        let plugin = Linker::<StoreState>::new(&engine)
            .instantiate_pre(&code)
            .and_then(PluginPre::new)
            .map_err(EngineError::contract)?;
        start_clock(&engine)?;
        Ok(Self { engine, plugin, digest: component.digest().to_owned(), process: getpid() })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn plugin(&self) -> &PluginPre<StoreState> {
        &self.plugin
    }

    pub(crate) fn component_digest(&self) -> &str {
        &self.digest
    }

    /// Whether this process made the engine. Every entry asks before it takes a lock, since a lock that another
    /// thread held during `fork` is never released.
    pub(crate) fn is_ours(&self) -> bool {
        getpid() == self.process
    }
}

/// How the component is compiled and run. Whoever compiles ahead uses the same.
fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // On by default, and a neighbour crate's features may compile it in: 245 ns a call for what nothing uses.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK_BYTES);
    // Traps are told apart by type. The frames of a stripped component say nothing, and take time.
    config.wasm_backtrace_max_frames(None);
    #[cfg(feature = "compiler")]
    config.parallel_compilation(is_first_process());
    config
}

/// Whether this is the process that set up an engine first, and no child that was forked from it. In a child, the
/// compiler's threads are gone and would be waited for without end, and so would a lock that was held at the fork.
fn is_first_process() -> bool {
    static FIRST: AtomicI32 = AtomicI32::new(0);
    let own = getpid().as_raw_nonzero().get();
    FIRST.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|first| first == own, |_| true)
}

#[expect(unsafe_code, reason = "the caller of `PdpBuilder::precompiled` vouched for the bytes")]
fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Code, EngineError> {
    // SAFETY: `PdpBuilder::precompiled` is unsafe, and its caller promised bytes of `precompile`.
    unsafe { Code::deserialize(engine, bytes) }.map_err(EngineError::precompiled)
}

/// Compiles a component ahead of time, for hosts without a compiler ([`PdpBuilder::precompiled`]).
///
/// `target` is a target triple, such as `x86_64-unknown-linux-gnu`; `None` is this machine with all that its
/// processor can do.
///
/// # Errors
///
/// [`EngineError`] where the target is not known or the component does not compile.
///
/// [`PdpBuilder::precompiled`]: crate::PdpBuilder::precompiled
#[cfg(feature = "compiler")]
pub fn precompile(component: &Component, target: Option<&str>) -> Result<Vec<u8>, EngineError> {
    let mut config = config();
    if let Some(triple) = target {
        config.target(triple).map_err(EngineError::compile)?;
    }
    let engine = Engine::new(&config).map_err(EngineError::compile)?;
    engine.precompile_component(component.bytes()).map_err(EngineError::compile)
}

/// Advances the clock of deadlines until the engine is gone.
fn start_clock(engine: &Engine) -> Result<(), EngineError> {
    let engine = engine.weak();
    thread::Builder::new()
        .name("cedargate-clock".to_owned())
        .stack_size(128 << 10)
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(Duration::from_millis(TICK_MS));
            }
        })
        .map(drop)
        .map_err(EngineError::thread)
}

/// The runtimes of this process that are in use.
static RUNTIMES: Mutex<Vec<Weak<Runtime>>> = Mutex::new(Vec::new());

/// Held while one is looked for and made, so that two at once do not compile twice. A forked child does without,
/// and makes a runtime for each decision point.
fn runtimes() -> Option<MutexGuard<'static, Vec<Weak<Runtime>>>> {
    is_first_process().then(|| RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner))
}
