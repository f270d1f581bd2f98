//! Starting a gateway, and ending it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use cedargate::{BuildError, Bundle, CodeCache, Pdp};
use cedargate_tokens::{
    Actor, ActorError, Clock, Directory, DirectoryOptions, Ledger, Recorder, RecorderOptions, Store, StoreError, Tokens,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinError;

use crate::config::{Config, ConfigError, Limits};
use crate::descriptors;
use crate::door::Door;
use crate::gateway::Gateway;
use crate::live::{Live, LiveError, Secured};
use crate::metrics::Metrics;
use crate::overrides::Overrides;
use crate::pass_through::ProviderKeys;
use crate::policies::{self, Lock, PoliciesError};
use crate::principals::Principals;
use crate::receive;
use crate::record::{Apart, Recording, RecordingError};
use crate::reload::{Reloader, Watch, Watched};
use crate::running::{Addresses, Running};
use crate::serve::{Role, Serving, Stage};

/// What a gateway is started with.
#[non_exhaustive]
pub struct Options {
    /// The configuration, with the overrides applied.
    pub config: Config,
    /// The file that it was read from, to be read again when it changes.
    pub config_path: Option<PathBuf>,
    /// What the command line says: it holds after a reload, too.
    pub overrides: Overrides,
    /// Where tokens are kept.
    pub store: Arc<dyn Store>,
    /// The file in which they are, which records are never written to.
    pub store_path: Option<PathBuf>,
    /// The time of decisions.
    pub clock: Arc<Clock>,
    /// Where compiled code is kept.
    pub cache: CodeCache,
    /// Nobody is asked, and everything is forwarded: to measure what asking costs, and for nothing else.
    #[cfg(feature = "bench-open")]
    pub open: bool,
}

impl Options {
    /// A gateway with this configuration, these tokens and this clock.
    pub fn new(config: Config, store: Arc<dyn Store>, clock: Arc<Clock>) -> Self {
        Self {
            config,
            config_path: None,
            overrides: Overrides::default(),
            store,
            store_path: None,
            clock,
            cache: CodeCache::user(),
            #[cfg(feature = "bench-open")]
            open: false,
        }
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policies cannot be read.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
    /// The policies cannot be loaded.
    #[error("the policies cannot be put in force: {0}")]
    Build(#[from] BuildError),
    /// The configuration cannot be put to work.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The store of tokens cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Requests cannot be recorded.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// An address cannot be listened at.
    #[error("cannot listen at `{address}` for {door}: {cause}; choose another address {}", door.cure())]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Who is to be listened to.
        door: Door,
        /// What the system said.
        cause: io::Error,
    },
    /// A thread cannot be made or ended early.
    #[error("a thread cannot be made: {0}")]
    Thread(#[from] io::Error),
    /// A task ended early.
    #[error("a task ended early: {0}")]
    Task(#[from] JoinError),
    /// The gateway cannot act in its own name.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

/// Starts a gateway. When this returns, it answers.
///
/// # Errors
///
/// [`StartError`]; nothing is left running.
pub async fn start(options: Options) -> Result<Running, StartError> {
    #[cfg(feature = "bench-open")]
    let open = options.open;
    let Options { config, config_path, overrides, store, store_path, clock, cache, .. } = options;
    let apart = Apart { store: store_path, config: config_path.clone() };
    apart.check(&config)?;
    let keys = config.keys()?;
    // Looked at before it is read: what changes while it is read is seen as a change.
    let seen = Watched::of(&config, config_path.as_deref()).look();
    if config.unlocked && (config.policies.is_some() || config.shadow.is_some()) {
        tracing::warn!("folders of policies are taken without `policies.lock`, whole or not");
    }
    let bundle = policies::read(config.policies.as_deref(), Lock::of(&config))?;
    let merged = policies::merge(&bundle, &config)?;
    let pdp = build(merged.clone(), cache.clone(), config.timeouts.decision, None).await?;
    let bound = Bound::new(&config).await?;
    let mut listening = config.listeners.clone();
    for (listener, place) in bound.clients.iter().zip(&mut listening) {
        place.address = address(listener, place.address)?;
    }
    let secured = Secured::read(&config, &listening)?;
    let live = Live::new(config, keys, &listening, &merged, secured)?;

    let directory = Directory::start(Arc::clone(&store), DirectoryOptions::default()).await?;
    let options = RecorderOptions { retention: live.config.events, ..RecorderOptions::default() };
    let recorder = Recorder::start(Arc::clone(&store), options);
    let recording = live.config.record.as_deref();
    let recording = recording.map(|path| Recording::start(path, live.config.limits.record_bytes)).transpose()?;
    if let Some(recording) = &recording {
        recording.bundle(pdp.info().digest(), &merged);
    }
    let limits = live.config.limits;
    let actor = Actor::new("gateway")?;
    let gateway = Arc::new(Gateway {
        principals: Principals::new(pdp.clone(), limits.principals),
        provider_keys: ProviderKeys::new(limits.provider_keys),
        ledger: Ledger::start(Arc::clone(&store), Arc::clone(&clock)),
        room: receive::room(limits.bodies_bytes),
        live: ArcSwap::from_pointee(live),
        pdp,
        tokens: Tokens::new(Arc::clone(&store), Arc::clone(&clock), actor).notifying(&directory),
        clock,
        directory,
        recorder,
        recording,
        shadow: ArcSwapOption::empty(),
        metrics: Metrics::default(),
        costly_lists: ArcSwapOption::empty(),
        stage: watch::Sender::new(Stage::Serving),
        #[cfg(feature = "bench-open")]
        open,
    });
    let reloader = Arc::new(Reloader::new(Arc::clone(&gateway), cache, apart, overrides, bundle, merged));
    reloader.start_shadow().await?;
    let watch = Watch::start(&reloader, seen);
    for exposure in gateway.live.load().config.exposures() {
        tracing::warn!("{exposure}");
    }
    let addresses = Addresses {
        clients: listening.into_iter().map(|listener| listener.address).collect(),
        admin: bound.admin.as_ref().map(TcpListener::local_addr).transpose()?,
        control: bound.control.as_ref().map(TcpListener::local_addr).transpose()?,
    };
    bound.serve(&gateway);
    Ok(Running::new(gateway, reloader, watch, addresses))
}

/// Builds a decision point away from the threads that serve: it may have to compile.
pub(crate) async fn build(
    bundle: Bundle,
    cache: CodeCache,
    deadline: Duration,
    instances: Option<usize>,
) -> Result<Pdp, StartError> {
    let build = move || {
        let builder = Pdp::builder().bundle(bundle).cache_dir(cache).deadline(deadline).timings(true);
        match instances {
            Some(instances) => builder.instances_max(instances).build(),
            None => builder.build(),
        }
    };
    Ok(tokio::task::spawn_blocking(build).await??)
}

/// Everything that is listened at.
struct Bound {
    clients: Vec<TcpListener>,
    admin: Option<TcpListener>,
    control: Option<TcpListener>,
}

impl Bound {
    async fn new(config: &Config) -> Result<Self, StartError> {
        let mut bound = Self { clients: Vec::new(), admin: None, control: None };
        for listener in &config.listeners {
            bound.clients.push(listen(listener.address, Door::Clients).await?);
        }
        if let Some(address) = config.admin {
            bound.admin = Some(listen(address, Door::Admin).await?);
        }
        if let Some(address) = config.control {
            bound.control = Some(listen(address, Door::Control).await?);
        }
        Ok(bound)
    }

    fn serve(self, gateway: &Arc<Gateway>) {
        let Self { clients, admin, control } = self;
        let live = gateway.live.load();
        let descriptors = client_descriptors(&live.config.limits, clients.len());
        let serving = |role| Serving {
            gateway: Arc::clone(gateway),
            role,
            limits: live.config.limits,
            timeouts: live.config.timeouts,
            stage: gateway.stage.subscribe(),
            descriptors: Arc::clone(&descriptors),
        };
        for (number, listener) in clients.into_iter().enumerate() {
            tokio::spawn(serving(Role::Clients(number)).run(listener));
        }
        for (listener, role) in [(admin, Role::Admin), (control, Role::Control)] {
            if let Some(listener) = listener {
                tokio::spawn(serving(role).run(listener));
            }
        }
    }
}

/// A place for each connection of a client that there is a descriptor for.
fn client_descriptors(limits: &Limits, listeners: usize) -> Arc<Semaphore> {
    let asked = u64::from(limits.connections).saturating_mul(u64::try_from(listeners).unwrap_or(u64::MAX));
    let most = descriptors::client_connections_max().unwrap_or(u64::MAX);
    if most < asked {
        tracing::warn!(
            connections = most,
            asked,
            "the process may not open files enough for all connections of clients: raise the limit (`ulimit -n`)"
        );
    }
    let places = usize::try_from(most.min(asked)).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}

async fn listen(address: SocketAddr, door: Door) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|cause| StartError::Listen { address, door, cause })
}

/// The address that a listener has, where any free port was asked for.
fn address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|cause| StartError::Listen { address: asked, door: Door::Clients, cause })
}
