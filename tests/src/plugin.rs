//! The component in wasmtime, without the SDK between: every door of the contract, as any host sees it.

use anyhow::Result;
use std::sync::LazyLock;
use wasmtime::component::{Component, Linker, ResourceAny};
use wasmtime::{Config, Engine, Store};

wasmtime::component::bindgen!({ path: "../wit", world: "plugin" });

pub use exports::cedargate::authz::authz::{
    AuthorizeError, DecideError, Decision, LoadError, PrepareError, RestoreError,
};

/// The stack that a host gives to a call, as the SDK does.
const WASM_STACK_BYTES: usize = 256 << 10;

/// The compiled component.
pub struct Compiled {
    engine: Engine,
    component: Component,
}

/// One instance of the component.
pub struct Instance {
    store: Store<()>,
    plugin: Plugin,
}

/// Compiled once for all tests of a process.
static SHARED: LazyLock<Compiled> = LazyLock::new(|| Compiled::new().expect("the component compiles"));

impl Compiled {
    /// A new instance of what is compiled once for all tests of this process.
    pub fn shared_instance() -> Result<Instance> {
        SHARED.instance()
    }

    /// Compiles the built component.
    pub fn new() -> Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).max_wasm_stack(WASM_STACK_BYTES);
        let engine = Engine::new(&config).map_err(trap)?;
        let component = Component::new(&engine, cedargate_component::COMPONENT).map_err(trap)?;
        Ok(Self { engine, component })
    }

    /// A new instance. The linker is empty: the component imports nothing.
    pub fn instance(&self) -> Result<Instance> {
        let mut store = Store::new(&self.engine, ());
        let plugin = Plugin::instantiate(&mut store, &self.component, &Linker::new(&self.engine)).map_err(trap)?;
        Ok(Instance { store, plugin })
    }
}

impl Instance {
    /// The component's description of itself.
    pub fn abi(&mut self) -> Result<String> {
        self.plugin.cedargate_authz_authz().call_abi(&mut self.store).map_err(trap)
    }

    /// Loads a bundle; the outer error is a trap.
    pub fn load(&mut self, bundle: &str) -> Result<Result<ResourceAny, LoadError>> {
        self.plugin.cedargate_authz_authz().policy_set().call_load(&mut self.store, bundle).map_err(trap)
    }

    /// Loads a bundle that must load.
    pub fn loaded(&mut self, bundle: &str) -> Result<ResourceAny> {
        match self.load(bundle)? {
            Ok(set) => Ok(set),
            Err(error) => anyhow::bail!("the bundle was refused: {error:?}"),
        }
    }

    /// The text of a set's info.
    pub fn info(&mut self, set: ResourceAny) -> Result<String> {
        self.plugin.cedargate_authz_authz().policy_set().call_info(&mut self.store, set).map_err(trap)
    }

    /// The image of a set.
    pub fn image(&mut self, set: ResourceAny) -> Result<Vec<u8>> {
        self.plugin.cedargate_authz_authz().policy_set().call_image(&mut self.store, set).map_err(trap)
    }

    /// A set from an image.
    pub fn restore(&mut self, image: &[u8]) -> Result<Result<ResourceAny, RestoreError>> {
        self.plugin.cedargate_authz_authz().policy_set().call_restore(&mut self.store, image).map_err(trap)
    }

    /// Prepares a principal.
    pub fn prepare(&mut self, set: ResourceAny, profile: &str) -> Result<Result<ResourceAny, PrepareError>> {
        self.plugin.cedargate_authz_authz().policy_set().call_prepare(&mut self.store, set, profile).map_err(trap)
    }

    /// Asks the general door.
    pub fn authorize(&mut self, set: ResourceAny, call: &str) -> Result<Result<String, AuthorizeError>> {
        self.plugin.cedargate_authz_authz().policy_set().call_authorize(&mut self.store, set, call).map_err(trap)
    }

    /// Decides in numbers.
    pub fn decide(
        &mut self,
        principal: ResourceAny,
        at: i64,
        request: &str,
        counters: &str,
    ) -> Result<Result<Decision, DecideError>> {
        let door = self.plugin.cedargate_authz_authz().principal();
        door.call_decide(&mut self.store, principal, at, request, counters).map_err(trap)
    }

    /// Decides a batch in numbers.
    pub fn decide_many(
        &mut self,
        principal: ResourceAny,
        at: i64,
        requests: &[String],
        counters: &[String],
    ) -> Result<Vec<Result<Decision, DecideError>>> {
        let door = self.plugin.cedargate_authz_authz().principal();
        door.call_decide_many(&mut self.store, principal, at, requests, counters).map_err(trap)
    }

    /// Decides as one text.
    pub fn decide_text(&mut self, principal: ResourceAny, at: i64, request: &str, counters: &str) -> Result<String> {
        let door = self.plugin.cedargate_authz_authz().principal();
        door.call_decide_text(&mut self.store, principal, at, request, counters).map_err(trap)
    }

    /// Drops a set or a principal.
    pub fn drop(&mut self, resource: ResourceAny) -> Result<()> {
        resource.resource_drop(&mut self.store).map_err(trap)
    }
}

/// What a call that ended in a trap says, with its causes.
fn trap(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
