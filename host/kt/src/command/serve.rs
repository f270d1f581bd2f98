//! `kt serve`: the gateway.

mod announce;
mod demo;
mod descriptors;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use cedargate_gateway::config::{Config, ConfigError};
use cedargate_gateway::policies::{bundle, candidates};
use cedargate_gateway::{Options, Overrides, Running, check_record, start};
use cedargate_tokens::{Clock, IfReplaced, SYSLOG_SOCKET, Sealed, Skew, SqliteOptions, SqliteStore, Store};
use clap::{Args, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use crate::answer::Answer;
use crate::store::{tell_accepted, to_syslog, usual_path};
use crate::{cache, stderr};

/// The file of a demo's tokens, in a folder that is forgotten.
const DEMO_STORE: &str = "demo.db";

const AFTER_HELP: &str = "\
Without `--config` the gateway has a built-in provider that answers with the caller's own words, so that everything can
be tried at once. The log goes to standard error; `CEDARGATE_LOG` says how much (error, warn, info, debug, trace).

SIGHUP reads configuration, certificates and policies again, and so does a change of their files, also where a folder
or a link is put in the place of another. A folder of policies is only taken as its `policies.lock` names it
(`kt policy lock`). A recording that was moved away is begun anew at SIGHUP. SIGTERM and SIGINT end the gateway once its
requests have ended.

Examples:
  kt serve --demo                                    three tokens, and what to do with them
  kt serve --config gateway.toml
  kt serve --config gateway.toml --check-config      what is wrong with this configuration?
  kt serve --config gateway.toml --shadow ./next     what would these policies change?
  kt serve --config gateway.toml --record day.jsonl  and then `kt replay day.jsonl`";

/// Run the gateway: a proxy for AI traffic whose every admission is a decision of the policies.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Serve {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, the providers' keys and the policies that it names, say what is wrong, and end.
    #[arg(long)]
    check_config: bool,
    /// The folder of the policies. Default: the policies that are built in.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// The file in which tokens are kept. Default: as for `kt tokens`.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Where to listen, in place of the configuration's listeners. What the first of them says of consumer groups and
    /// proxies holds there.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where to serve `/healthz`, `/readyz` and `/metrics`.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Candidate policies, decided beside those in force: events say what they would have changed.
    #[arg(long, value_name = "DIR")]
    shadow: Option<PathBuf>,
    /// Take folders of policies without `policies.lock`, too: somebody else sees to it that no half-copied folder,
    /// which may allow more, is ever seen.
    #[arg(long)]
    unlocked: bool,
    /// Record every decision, for `kt replay`; the policies that decided are kept beside it, in `FILE.bundles`.
    /// A file that is there must be its owner's alone, and none that the gateway needs for something else.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Make three tokens and say what to try with them. Without `--store`, everything is forgotten at the end.
    #[arg(long, conflicts_with = "config")]
    demo: bool,
    /// Start though the clock is behind the newest time of the store: believe the clock.
    #[arg(long)]
    accept_clock: bool,
    /// Go on although the store is older than what was seen of it, or another one. Without this, every request is
    /// answered 503 until `kt store restore` or a command with `--accept-store` has put it right.
    #[arg(long)]
    accept_store: bool,
    /// Send the head of the audit log to the system's log, too, when a token is changed. Default: the socket of the
    /// configuration.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true, default_missing_value = SYSLOG_SOCKET)]
    syslog: Option<PathBuf>,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let overrides = self.overrides();
        let config = match &self.config {
            Some(path) => Config::load(path),
            None => Ok(Config::default()),
        };
        let config = match config {
            Ok(config) => overrides.apply(config),
            Err(ConfigError::Refused(problems)) if self.check_config => {
                stderr::say(format_args!("{problems}"));
                return Ok(Answer::No);
            }
            Err(error) => return Err(error).context("the gateway has no configuration"),
        };
        if self.check_config {
            return Ok(check(&config, self.config.as_deref()));
        }
        log(self.log_format);
        descriptors::raise();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads")?;
        runtime.block_on(self.serve(config, overrides))
    }

    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        overrides.listen = self.listen;
        overrides.admin = self.admin;
        overrides.policies.clone_from(&self.policies);
        overrides.shadow.clone_from(&self.shadow);
        overrides.unlocked = self.unlocked;
        overrides.store.clone_from(&self.store);
        overrides.record.clone_from(&self.record);
        overrides
    }

    async fn serve(self, mut config: Config, overrides: Overrides) -> anyhow::Result<Answer> {
        let mut forgotten = None;
        let path = match (&config.store, self.demo) {
            (Some(path), _) => path.clone(),
            (None, false) => usual_path()?,
            (None, true) => {
                // Whatever the umask says.
                let own = Permissions::from_mode(0o700);
                let folder = tempfile::Builder::new().permissions(own).tempdir().context("no folder for the demo")?;
                forgotten.insert(folder).path().join(DEMO_STORE)
            }
        };
        // Before a store is made that lies where the records would.
        check_record(&config, self.config.as_deref(), Some(&path))?;
        if self.demo {
            demo::choose_free_ports(&mut config, &overrides);
        }
        let skew = if self.accept_clock { Skew::Override } else { Skew::Refuse };
        let if_replaced = if self.accept_store { IfReplaced::Accept } else { IfReplaced::Await };
        let store = SqliteStore::open(&path, SqliteOptions { if_replaced, ..SqliteOptions::default() }).await?;
        tell_accepted(&store);
        let mut store = store.witnessed_by(Arc::new(|Sealed { number, head }: &Sealed| {
            tracing::info!(number, %head, "audit head");
        }));
        if let Some(socket) = self.syslog.as_deref().or(config.syslog.as_deref()) {
            store = store.witnessed_by(to_syslog(socket)?);
        }
        let running = open(config, self.config.clone(), overrides, &store, skew).await;
        let running = match running {
            Ok(running) => running,
            Err(error) => {
                store.close().await;
                return Err(error);
            }
        };
        announce::announce(&running, self.config.as_deref(), &path);
        if self.demo {
            demo::show(&running, &path).await?;
        }
        running.until_signalled().await.context("signals cannot be received")?;
        running.shutdown().await;
        store.close().await;
        drop(forgotten);
        Ok(Answer::Yes)
    }
}

/// Says what keeps a gateway with this configuration from starting: keys and certificates that are not there, policies,
/// candidates. What it leaves open to others is said, too.
fn check(config: &Config, path: Option<&Path>) -> Answer {
    let keys = config.keys().map(drop).map_err(|error| error.to_string());
    let policies = bundle(config).map(drop).map_err(|error| format!("error: {error}"));
    let candidates = candidates(config).map(drop).map_err(|error| format!("error: {error}"));
    let certificates = config.check_certificates().map_err(|error| format!("error: {error}"));
    let store = config.store.clone().or_else(|| usual_path().ok());
    let record = check_record(config, path, store.as_deref()).map_err(|error| format!("error: {error}"));
    let wrong: Vec<_> =
        [keys, certificates, policies, candidates, record].into_iter().filter_map(Result::err).collect();
    for exposure in config.exposures() {
        stderr::say(format_args!("warning: {exposure}"));
    }
    match wrong.is_empty() {
        true => stderr::say(format_args!("the configuration is in order")),
        false => stderr::say(format_args!("{}", wrong.join("\n\n"))),
    }
    Answer::yes_if(wrong.is_empty())
}

async fn open(
    config: Config,
    config_path: Option<PathBuf>,
    overrides: Overrides,
    store: &SqliteStore,
    skew: Skew,
) -> anyhow::Result<Running> {
    store.holds_its_log().await?;
    let store_path = store.path().to_owned();
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let clock = Arc::new(Clock::start(&*store, skew).await?);
    let mut options = Options::new(config, store, clock);
    options.config_path = config_path;
    options.store_path = Some(store_path);
    options.overrides = overrides;
    options.cache = cache::of_server();
    Ok(start(options).await?)
}

/// Writes the log of a server, as much of it as the environment asks for.
fn log(format: LogFormat) {
    let level = stderr::level_asked().unwrap_or(LevelFilter::INFO);
    let builder = stderr::logger().with_max_level(level);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
