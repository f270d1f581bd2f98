//! One guest in one store.

use std::num::NonZeroUsize;

use lru::LruCache;
use wasmtime::component::ResourceAny;
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use crate::bindings::Plugin;
use crate::bindings::exports::cedargate::authz::authz as wire;
use crate::deadline::{Deadline, TICKS_FIRST, Watch};
use crate::engine::Runtime;
use crate::fault::Fault;
use crate::principal::{PrincipalKey, PrincipalKeyHasher};

/// Prepared principals an instance keeps. Far below the 100,000 live handles at which a store traps.
const PRINCIPALS_MAX: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(n) => n,
    None => NonZeroUsize::MIN,
};

/// Core instances, tables and memories of one component: one of each, and room for adapters.
const INSTANCE_PARTS_MAX: usize = 16;

/// Entries of a table: the functions whose address is taken.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The bounds of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) memory_bytes: usize,
    pub(crate) reply_bytes: usize,
}

/// What the host keeps beside a guest.
pub(crate) struct StoreState {
    memory_bytes: usize,
    /// The limiter refused memory. A guest that gets none traps in its own way, which would look like any trap.
    memory_refused: bool,
    watch: Watch,
}

impl ResourceLimiter for StoreState {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_bytes;
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_refused = true;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= TABLE_ELEMENTS_MAX;
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        INSTANCE_PARTS_MAX
    }

    fn tables(&self) -> usize {
        INSTANCE_PARTS_MAX
    }

    fn memories(&self) -> usize {
        INSTANCE_PARTS_MAX
    }
}

/// A fault with what is known of its cause, for the log.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) cause: String,
}

impl Failure {
    pub(crate) fn new(fault: Fault, cause: impl Into<String>) -> Self {
        Self { fault, cause: cause.into() }
    }
}

/// One guest in its store, without a policy set.
pub(crate) struct Guest {
    store: Store<StoreState>,
    plugin: Plugin,
    reply_bytes: usize,
    /// Set while the guest runs and left set by a fault.
    ///
    /// INVARIANT: a guest that faulted is never entered again; its store is dropped whole.
    poisoned: bool,
}

impl Guest {
    pub(crate) fn new(runtime: &Runtime, bounds: Bounds, deadline: &mut Deadline) -> Result<Self, Failure> {
        if !runtime.is_ours() {
            return Err(Failure::new(Fault::Unavailable, "this process was forked from the one that built the engine"));
        }
        let state =
            StoreState { memory_bytes: bounds.memory_bytes, memory_refused: false, watch: Watch::new(*deadline) };
        let mut store = Store::new(runtime.engine(), state);
        store.limiter(|state| state);
        store.epoch_deadline_callback(|mut store| {
            let next = store.data_mut().watch.tick();
            Ok(next.map_or(UpdateDeadline::Interrupt, UpdateDeadline::Continue))
        });
        store.set_epoch_deadline(TICKS_FIRST);
        let instantiated = runtime.plugin().instantiate(&mut store);
        *deadline = store.data_mut().watch.leave();
        match instantiated {
            Ok(plugin) => Ok(Self { store, plugin, reply_bytes: bounds.reply_bytes, poisoned: false }),
            Err(error) => {
                let state = store.data();
                let fault =
                    if state.memory_refused { Fault::Memory } else { trap_of(&error, state, Fault::Unavailable) };
                Err(Failure::new(fault, format!("{error:#}")))
            }
        }
    }

    /// Enters the guest for one reply.
    fn enter<R>(
        &mut self,
        deadline: &mut Deadline,
        call: impl FnOnce(&mut Store<StoreState>, &Plugin) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        self.enter_for(1, deadline, call)
    }

    /// Enters the guest: the one place that does, and so the one that sets deadline and bounds.
    fn enter_for<R>(
        &mut self,
        replies: usize,
        deadline: &mut Deadline,
        call: impl FnOnce(&mut Store<StoreState>, &Plugin) -> wasmtime::Result<R>,
    ) -> Result<R, Failure> {
        if self.poisoned {
            return Err(Failure::new(Fault::Unavailable, "the instance faulted before"));
        }
        self.poisoned = true;
        self.store.data_mut().memory_refused = false;
        self.store.set_hostcall_fuel(self.reply_bytes.saturating_mul(replies));
        self.store.data_mut().watch = Watch::new(*deadline);
        self.store.set_epoch_deadline(TICKS_FIRST);
        let Self { store, plugin, .. } = self;
        let called = call(store, plugin);
        *deadline = store.data_mut().watch.leave();
        match called {
            Ok(value) => {
                self.poisoned = false;
                Ok(value)
            }
            Err(error) => {
                // What is no trap is a reply that cannot be lifted: out of bounds, not UTF-8, above the bound.
                let fault = match trap_of(&error, self.store.data(), Fault::Reply) {
                    Fault::Trap if self.store.data().memory_refused => Fault::Memory,
                    fault => fault,
                };
                Err(Failure::new(fault, format!("{error:#}")))
            }
        }
    }

    /// The component's description of itself.
    pub(crate) fn abi(&mut self, deadline: &mut Deadline) -> Result<String, Failure> {
        self.enter(deadline, |store, plugin| plugin.cedargate_authz_authz().call_abi(store))
    }

    /// Loads a bundle. The set is this guest's only one: it is thrown away with it.
    pub(crate) fn load(
        &mut self,
        bundle: &str,
        deadline: &mut Deadline,
    ) -> Result<Result<ResourceAny, wire::LoadError>, Failure> {
        self.enter(deadline, |store, plugin| plugin.cedargate_authz_authz().policy_set().call_load(store, bundle))
    }

    pub(crate) fn info(&mut self, set: ResourceAny, deadline: &mut Deadline) -> Result<String, Failure> {
        self.enter(deadline, |store, plugin| plugin.cedargate_authz_authz().policy_set().call_info(store, set))
    }

    pub(crate) fn image(&mut self, set: ResourceAny, deadline: &mut Deadline) -> Result<Vec<u8>, Failure> {
        self.enter(deadline, |store, plugin| plugin.cedargate_authz_authz().policy_set().call_image(store, set))
    }
}

fn trap_of(error: &wasmtime::Error, state: &StoreState, otherwise: Fault) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => state.watch.over().unwrap_or(Fault::Timeout),
        Some(Trap::StackOverflow) => Fault::Stack,
        Some(_) => Fault::Trap,
        None => otherwise,
    }
}

/// One guest that holds one policy set and decides.
pub(crate) struct Instance {
    guest: Guest,
    set: ResourceAny,
    principals: LruCache<PrincipalKey, ResourceAny, PrincipalKeyHasher>,
}

/// What the guest says to a principal: a handle, or why there is none.
pub(crate) type Prepared = Result<ResourceAny, wire::PrepareError>;

/// What the guest says to a request.
pub(crate) type Decided = Result<wire::Decision, wire::DecideError>;

impl Instance {
    /// Restores a set in a new guest.
    pub(crate) fn restore(
        runtime: &Runtime,
        bounds: Bounds,
        image: &[u8],
        deadline: &mut Deadline,
    ) -> Result<Self, Failure> {
        let mut guest = Guest::new(runtime, bounds, deadline)?;
        let set = guest
            .enter(deadline, |store, plugin| plugin.cedargate_authz_authz().policy_set().call_restore(store, image))?;
        match set {
            Ok(set) => Ok(Self {
                guest,
                set,
                principals: LruCache::with_hasher(PRINCIPALS_MAX, PrincipalKeyHasher::default()),
            }),
            Err(wire::RestoreError::ImageInvalid(text) | wire::RestoreError::ImageForeign(text)) => {
                Err(Failure::new(Fault::Unavailable, format!("the image was not restored: {text}")))
            }
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.guest.poisoned
    }

    /// Gives up a guest whose answer makes no sense.
    pub(crate) fn condemn(&mut self) {
        self.guest.poisoned = true;
    }

    pub(crate) fn holds(&self, key: &PrincipalKey) -> bool {
        self.principals.contains(key)
    }

    /// The handle of a principal: the one that is kept, or a new one.
    pub(crate) fn prepare(
        &mut self,
        key: &PrincipalKey,
        profile: &str,
        deadline: &mut Deadline,
    ) -> Result<Prepared, Failure> {
        if let Some(handle) = self.principals.get(key) {
            return Ok(Ok(*handle));
        }
        let set = self.set;
        let prepared = self.guest.enter(deadline, |store, plugin| {
            plugin.cedargate_authz_authz().policy_set().call_prepare(store, set, profile)
        })?;
        if let Ok(handle) = prepared {
            let replaced = self.principals.push(*key, handle);
            if let Some((_, old)) = replaced {
                self.guest.enter(deadline, |store, _| old.resource_drop(store))?;
            }
        }
        Ok(prepared)
    }

    pub(crate) fn decide(
        &mut self,
        principal: ResourceAny,
        at: i64,
        request: &str,
        counters: &str,
        deadline: &mut Deadline,
    ) -> Result<Decided, Failure> {
        self.guest.enter(deadline, |store, plugin| {
            plugin.cedargate_authz_authz().principal().call_decide(store, principal, at, request, counters)
        })
    }

    pub(crate) fn decide_text(
        &mut self,
        principal: ResourceAny,
        at: i64,
        request: &str,
        counters: &str,
        deadline: &mut Deadline,
    ) -> Result<String, Failure> {
        self.guest.enter(deadline, |store, plugin| {
            plugin.cedargate_authz_authz().principal().call_decide_text(store, principal, at, request, counters)
        })
    }

    pub(crate) fn decide_many(
        &mut self,
        principal: ResourceAny,
        at: i64,
        requests: &[String],
        counters: &[String],
        deadline: &mut Deadline,
    ) -> Result<Vec<Decided>, Failure> {
        self.guest.enter_for(requests.len(), deadline, |store, plugin| {
            plugin.cedargate_authz_authz().principal().call_decide_many(store, principal, at, requests, counters)
        })
    }
}
