//! The token store that a command works with.

use std::env;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use cedargate::model::Timestamp;
use cedargate_gateway::config::Config;
use cedargate_tokens::{
    Actor, Clock, IfReplaced, SYSLOG_SOCKET, Sealed, Skew, SqliteOptions, SqliteStore, Store, Tokens, Witness, syslog,
};
use clap::Args;

use crate::stderr;

/// The environment's name for the store.
const STORE: &str = "CEDARGATE_STORE";

/// The environment's name for the configuration.
const CONFIG: &str = "CEDARGATE_CONFIG";

/// The options `--store`, `--config`, `--accept-clock` and `--accept-store`.
#[derive(Args, Debug)]
pub(crate) struct StoreArg {
    /// The file of the token store. Default: the one of the configuration, else `$CEDARGATE_STORE`,
    /// else `cedargate/tokens.db` in `$XDG_DATA_HOME` or
    /// `~/.local/share`.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// The gateway's configuration. What it says of store, policies, providers, models and the life of tokens holds
    /// here too. Default: `$CEDARGATE_CONFIG`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on although the clock lies behind the times in the store, or far ahead of them: the clock is right.
    #[arg(long)]
    accept_clock: bool,
    /// Go on although the store is older than what was seen of it, or another one: it is put in that one's place.
    #[arg(long)]
    accept_store: bool,
    /// Send the head of the audit log to the system's log, too, when something is changed. Default: the socket of the
    /// configuration.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true, default_missing_value = SYSLOG_SOCKET)]
    syslog: Option<PathBuf>,
}

/// A store that is open.
pub(crate) struct Opened {
    /// The store itself.
    pub(crate) store: Arc<dyn Store>,
    /// What is done with tokens, in the name of whoever runs the command.
    pub(crate) tokens: Tokens,
}

impl Opened {
    /// The time of the store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.tokens.now()
    }
}

impl StoreArg {
    /// Opens the store that is there.
    pub(crate) async fn open(&self) -> anyhow::Result<Opened> {
        self.open_with(SqliteOptions { create: false, ..SqliteOptions::default() }).await
    }

    /// Opens the store that is there, whatever took its place: somebody looks what is wrong with it.
    pub(crate) async fn open_to_look(&self) -> anyhow::Result<Opened> {
        let if_replaced = IfReplaced::Await;
        self.open_with(SqliteOptions { create: false, if_replaced, ..SqliteOptions::default() }).await
    }

    /// Opens the store, and makes it where there is none.
    pub(crate) async fn open_or_make(&self) -> anyhow::Result<Opened> {
        self.open_with(SqliteOptions::default()).await
    }

    /// Opens the store that is there for who ends tokens, which no clock keeps him from.
    pub(crate) async fn open_to_end(&self) -> anyhow::Result<Opened> {
        self.open_at(SqliteOptions { create: false, ..SqliteOptions::default() }, Skew::Follow).await
    }

    async fn open_with(&self, options: SqliteOptions) -> anyhow::Result<Opened> {
        self.open_at(options, Skew::Refuse).await
    }

    async fn open_at(&self, options: SqliteOptions, skew: Skew) -> anyhow::Result<Opened> {
        let sqlite = self.open_sqlite(options).await?;
        let store: Arc<dyn Store> = Arc::new(sqlite);
        let skew = if self.accept_clock { Skew::Override } else { skew };
        let clock = Arc::new(Clock::start(&*store, skew).await?);
        let tokens = Tokens::new(Arc::clone(&store), clock, who()?);
        Ok(Opened { store, tokens })
    }

    /// Opens the store and nothing beside it.
    pub(crate) async fn open_sqlite(&self, options: SqliteOptions) -> anyhow::Result<SqliteStore> {
        let if_replaced = if self.accept_store { IfReplaced::Accept } else { options.if_replaced };
        let store = SqliteStore::open(self.path()?, SqliteOptions { if_replaced, ..options }).await?;
        tell_accepted(&store);
        let mut store =
            store.witnessed_by(Arc::new(|sealed: &Sealed| stderr::say(format_args!("audit head: {}", sealed.head))));
        let configured = || Ok::<_, anyhow::Error>(self.config()?.and_then(|config| config.syslog));
        if let Some(socket) = self.syslog.clone().map_or_else(configured, |socket| Ok(Some(socket)))? {
            store = store.witnessed_by(to_syslog(&socket)?);
        }
        OPENED.lock().unwrap_or_else(PoisonError::into_inner).push(store.clone());
        Ok(store)
    }

    /// The file of the store.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.store {
            return Ok(path.clone());
        }
        match self.config()?.and_then(|config| config.store) {
            Some(path) => Ok(path),
            None => usual_path(),
        }
    }

    /// The gateway's configuration, where one is named.
    pub(crate) fn config(&self) -> anyhow::Result<Option<Config>> {
        let Some(path) = self.config.clone().or_else(|| named(CONFIG)) else { return Ok(None) };
        Config::load(&path).map(Some).context("the gateway's configuration cannot be used")
    }
}

/// Tells the system's log the head of the audit log with each change.
pub(crate) fn to_syslog(socket: &Path) -> anyhow::Result<Witness> {
    syslog(socket).with_context(|| format!("the system's log cannot be written at `{}`", socket.display()))
}

/// Says what is lost with a store in whose place this one was accepted.
pub(crate) fn tell_accepted(store: &SqliteStore) {
    if let Some(replacement) = store.accepted() {
        stderr::say(format_args!("the store is accepted as it is: {replacement}"));
    }
}

/// A path that the environment names.
fn named(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where tokens are kept unless somebody says otherwise.
pub(crate) fn usual_path() -> anyhow::Result<PathBuf> {
    if let Some(path) = named(STORE) {
        return Ok(path);
    }
    // A relative path there is invalid, <https://specifications.freedesktop.org/basedir-spec/latest/>.
    let data = named("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| named("HOME").map(|home| home.join(".local/share")));
    let data =
        data.ok_or_else(|| anyhow!("there is no `$HOME` to keep the token store in: name a file with `--store`"))?;
    Ok(data.join("cedargate/tokens.db"))
}

/// Who runs the command, for the audit log: the name is what the environment says, the number is the system's.
pub(crate) fn who() -> anyhow::Result<Actor> {
    let user = rustix::process::getuid().as_raw();
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok()).unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_alphanumeric() || "._-@".contains(*c)).take(64).collect();
    Ok(Actor::new(format!("local:{name}({user})"))?)
}

/// Stores that were opened. Whatever becomes of the command, what it wrote stands in the file itself at its end.
static OPENED: Mutex<Vec<SqliteStore>> = Mutex::new(Vec::new());

/// Runs a command that waits for the store.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(async {
        let done = work.await;
        let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
        for store in opened {
            store.close().await;
        }
        done
    })
}
