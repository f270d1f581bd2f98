//! Policies and configuration, read again on change and on demand: both or neither are put in force.

mod watch;

use std::sync::Arc;

use cedargate::{Bundle, CodeCache, LoadError};
use tokio::sync::Mutex;

use crate::config::{Config, ConfigError, Listener};
use crate::gateway::Gateway;
use crate::live::{Live, LiveError, Secured};
use crate::overrides::Overrides;
use crate::policies::{self, Lock, PoliciesError};
use crate::record::{Apart, RecordingError};
use crate::shadow::Candidates;
use crate::start::{StartError, build};
use crate::unfit;
pub(crate) use watch::{Watch, Watched};

/// Why nothing was reloaded. What was in force stays in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration cannot be put to work.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// What is recorded would be written to a file that is needed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The policies cannot be read.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
    /// The policies cannot be loaded.
    #[error("the policies cannot be put in force: {0}")]
    Load(#[from] LoadError),
    /// The candidate policies cannot be loaded.
    #[error("the candidate policies: {0}")]
    Shadow(Box<StartError>),
}

/// What changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) config: bool,
    pub(crate) policies: bool,
    pub(crate) shadow: bool,
    pub(crate) certificates: bool,
}

impl Changed {
    const fn all() -> Self {
        Self { config: true, policies: true, shadow: true, certificates: true }
    }
}

/// Reads again what a gateway was started with.
pub(crate) struct Reloader {
    gateway: Arc<Gateway>,
    cache: CodeCache,
    /// Which file the configuration is read from, and which ones are not recorded to.
    apart: Apart,
    overrides: Overrides,
    /// Held while something is reloaded, so that two reloads do not mix.
    loaded: Mutex<Loaded>,
}

/// What is in force.
struct Loaded {
    /// Where is listened, with what is known of requests there.
    listeners: Vec<Listener>,
    /// As their authors wrote them.
    bundle: Bundle,
    /// With the teams and groups of the configuration.
    merged: Bundle,
    /// The candidates, with the same.
    shadow: Option<Bundle>,
    /// What was wrong with what was last noticed on disk. Said once, however often the disk changes.
    wrong: Option<String>,
}

impl Reloader {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        cache: CodeCache,
        apart: Apart,
        overrides: Overrides,
        bundle: Bundle,
        merged: Bundle,
    ) -> Self {
        let listeners = gateway.live.load().config.listeners.clone();
        let loaded = Mutex::new(Loaded { listeners, bundle, merged, shadow: None, wrong: None });
        Self { gateway, cache, apart, overrides, loaded }
    }

    /// The file and the folders to look at now.
    pub(crate) fn watched(&self) -> Watched {
        let live = self.gateway.live.load();
        Watched::of(&live.config, self.apart.config.as_deref())
    }

    /// Loads the candidate policies of the first configuration.
    pub(crate) async fn start_shadow(&self) -> Result<(), StartError> {
        let config = self.gateway.live.load().config.clone();
        let mut loaded = self.loaded.lock().await;
        self.shadow(&mut loaded, &config).await
    }

    /// Reads everything again, and says what is wrong to whoever asked.
    pub(crate) async fn everything(&self) -> Result<(), ReloadError> {
        let mut loaded = self.loaded.lock().await;
        let result = self.reload(&mut loaded, Changed::all()).await;
        loaded.wrong = result.as_ref().err().inspect(|error| complain(error)).map(ToString::to_string);
        result
    }

    /// Reads what changed on disk.
    pub(crate) async fn noticed(&self, changed: Changed) {
        let mut loaded = self.loaded.lock().await;
        let wrong = self.reload(&mut loaded, changed).await.err();
        let said = wrong.as_ref().map(ToString::to_string);
        if let Some(error) = wrong.filter(|_| said != loaded.wrong) {
            complain(&error);
        }
        loaded.wrong = said;
    }

    /// Counts what becomes of it, whatever it is that cannot be used.
    async fn reload(&self, loaded: &mut Loaded, changed: Changed) -> Result<(), ReloadError> {
        let result = self.put_in_force(loaded, changed).await;
        self.gateway.metrics.reloaded(result.is_ok());
        result
    }

    async fn put_in_force(&self, loaded: &mut Loaded, changed: Changed) -> Result<(), ReloadError> {
        let before = self.gateway.live.load_full();
        let (config, keys) = match &self.apart.config {
            Some(path) if changed.config => {
                let config = Config::load(path)?;
                // A file that was cut short, and not a gateway that is to be everybody's echo.
                if config.says_nothing && !before.config.says_nothing {
                    return Err(ConfigError::Emptied { path: path.clone() }.into());
                }
                let config = self.overrides.apply(config);
                self.apart.check(&config)?;
                let keys = config.keys()?;
                (config, keys)
            }
            // A key that is gone by now does not keep other policies waiting.
            _ => (before.config.clone(), before.keys.clone()),
        };
        let named = |config: &Config| (config.policies.clone(), config.unlocked);
        let bundle = match changed.policies || named(&config) != named(&before.config) {
            true => policies::read(config.policies.as_deref(), Lock::of(&config))?,
            false => loaded.bundle.clone(),
        };
        let merged = policies::merge(&bundle, &config)?;
        let listeners = placed(&loaded.listeners, &config);
        // A certificate that is gone by now does not keep other policies waiting, nor do they cost connections.
        let secured = match changed.config || changed.certificates {
            true => Secured::read(&config, &listeners)?,
            false => before.secured.clone(),
        };
        let live = Live::new(config, keys, &listeners, &merged, secured)?;
        if merged.lock_text() != loaded.merged.lock_text() {
            let report = self.gateway.pdp.reload(merged.clone()).await?;
            if let Some(recording) = &self.gateway.recording {
                recording.bundle(&report.digest, &merged);
            }
            tracing::info!(policy_set = report.digest, "other policies are in force");
            tokio::spawn(unfit::look(Arc::clone(&self.gateway)));
            loaded.merged = merged;
        } else if changed.policies {
            tracing::info!("the policies are those that are in force");
        }
        loaded.bundle = bundle;
        loaded.listeners = listeners;
        if changed.config {
            self.warn_of_restarts(&before.config, &live.config);
            for exposure in live.config.exposures() {
                tracing::warn!("{exposure}");
            }
            tracing::info!("the configuration was read again");
        }
        if changed.certificates {
            tracing::info!("certificates were read again");
        }
        let config = live.config.clone();
        self.gateway.recorder.keep(config.events);
        if let Some(recording) = &self.gateway.recording {
            recording.bound(config.limits.record_bytes);
        }
        self.gateway.live.store(Arc::new(live));
        // The candidates decide nothing: that they cannot be loaded is no reason to keep the rest waiting.
        self.shadow(loaded, &config).await.map_err(|error| ReloadError::Shadow(Box::new(error)))
    }

    async fn shadow(&self, loaded: &mut Loaded, config: &Config) -> Result<(), StartError> {
        let Some(merged) = policies::candidates(config)? else {
            loaded.shadow = None;
            self.gateway.shadow.store(None);
            return Ok(());
        };
        if loaded.shadow.as_ref().is_some_and(|before| before.lock_text() == merged.lock_text()) {
            return Ok(());
        }
        match self.gateway.shadow.load_full() {
            Some(running) => {
                running.pdp().reload(merged.clone()).await.map_err(|error| StartError::Build(error.into()))?;
            }
            None => {
                let pdp =
                    build(merged.clone(), self.cache.clone(), config.timeouts.decision.max(SHADOW_DEADLINE), Some(1))
                        .await?;
                let candidates = Candidates::start(pdp, self.gateway.recorder.clone())?;
                self.gateway.shadow.store(Some(Arc::new(candidates)));
            }
        }
        let folder = config.shadow.as_deref().map(|folder| tracing::field::display(folder.display()));
        tracing::info!(folder, "candidate policies are decided beside those in force");
        loaded.shadow = Some(merged);
        Ok(())
    }

    /// What a reload cannot change.
    fn warn_of_restarts(&self, before: &Config, after: &Config) {
        let addresses = |config: &Config| config.listeners.iter().map(|place| place.address).collect::<Vec<_>>();
        let asks_for_others = addresses(before) != addresses(after) || before.admin != after.admin;
        if asks_for_others || before.store != after.store || before.record != after.record {
            tracing::warn!("addresses, store and recording change with a restart");
        }
    }
}

/// Says why something was not reloaded.
fn complain(error: &ReloadError) {
    match error {
        ReloadError::Shadow(_) => tracing::error!(%error, "the candidates were not reloaded: those before stay"),
        ReloadError::Config(_)
        | ReloadError::Live(_)
        | ReloadError::Recording(_)
        | ReloadError::Policies(_)
        | ReloadError::Load(_) => {
            tracing::error!(%error, "nothing was reloaded: what was in force stays in force");
        }
    }
}

/// The listeners that are there, with what the configuration says of them now. One that it does not name any more stays
/// as it was: addresses change with a restart.
fn placed(listeners: &[Listener], config: &Config) -> Vec<Listener> {
    let now = |(number, there): (usize, &Listener)| {
        let is_it = |other: &&Listener| other.address == there.address;
        // Any free port is the address of several.
        let elsewhere = || config.listeners.iter().filter(|other| other.address.port() != 0).find(is_it);
        let named = config.listeners.get(number).filter(is_it).or_else(elsewhere);
        named.unwrap_or(there).clone()
    };
    listeners.iter().enumerate().map(now).collect()
}

/// Nobody waits for the candidates.
const SHADOW_DEADLINE: std::time::Duration = std::time::Duration::from_millis(100);
