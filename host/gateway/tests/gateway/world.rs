//! A gateway with a store of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedargate_gateway::config::Config;
use cedargate_gateway::{Options, Running, start};
use cedargate_tokens::{
    Actor, Clock, Created, Event, EventFilter, Grant, NewToken, Skew, SqliteOptions, SqliteStore, Store, Tokens,
};

use crate::client::Client;

/// Generous: tests assert what happens, not how fast on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where everybody listens, and how long decisions may take on a busy machine.
const HEAD: &str = "
    listeners = [{ address = \"127.0.0.1:0\", consumer_group = \"web\" }]
    admin = { address = \"127.0.0.1:0\" }
    gateway_id = \"gw-test\"
";

const TIMEOUTS: &str = "
    [timeouts]
    decision_ms = 20000
    shutdown_ms = 20000
";

pub struct World {
    pub running: Running,
    pub tokens: Tokens,
    pub client: Client,
    pub admin: Client,
    pub store: Arc<dyn Store>,
    pub folder: tempfile::TempDir,
}

/// A configuration with these tables, and with timeouts where they name none.
pub fn text(tables: &str) -> String {
    let timeouts = if tables.contains("[timeouts]") { "" } else { TIMEOUTS };
    format!("{HEAD}{tables}{timeouts}")
}

pub fn config(tables: &str) -> Config {
    Config::parse(&text(tables), "gateway.toml", Path::new("")).unwrap_or_else(|error| panic!("{error}"))
}

impl World {
    /// A gateway with the built-in provider.
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// A gateway with these tables of configuration.
    pub async fn with(tables: &str) -> Self {
        Self::started(config(tables), |_| {}).await
    }

    /// A gateway whose configuration lies in a file that it watches.
    pub async fn of_file(path: &Path) -> Self {
        Self::started(Config::load(path).unwrap(), |options| options.config_path = Some(path.to_owned())).await
    }

    pub async fn started(config: Config, change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
        Self::on(Arc::new(store), folder, config, change).await
    }

    /// Whether a gateway with this configuration starts, and what it says where it does not.
    pub async fn try_start(config: Config) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
        start(Options::new(config, store, clock)).await.map(drop).map_err(|error| error.to_string())
    }

    pub async fn on(
        store: Arc<dyn Store>,
        folder: tempfile::TempDir,
        config: Config,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let clock = Arc::new(Clock::start(&*store, Skew::Refuse).await.unwrap());
        let mut options = Options::new(config, Arc::clone(&store), clock);
        change(&mut options);
        let running = start(options).await.unwrap_or_else(|error| panic!("{error}"));
        let tokens = running.tokens(Actor::new("test").unwrap());
        let client = Client::new(running.addresses()[0]);
        let admin = Client::new(running.admin_address().unwrap());
        Self { running, tokens, client, admin, store, folder }
    }

    /// A token for AI traffic, changed as the test wants it.
    pub async fn token(&self, name: &str, change: impl FnOnce(&mut NewToken)) -> Created {
        let mut new = NewToken::new(name, Grant::general());
        change(&mut new);
        self.tokens.create(new).await.unwrap()
    }

    /// The secret of a token without restrictions.
    pub async fn secret(&self, name: &str) -> String {
        self.token(name, |_| {}).await.secret.expose().to_owned()
    }

    /// All events so far.
    pub async fn events(&self) -> Vec<Event> {
        self.running.flush().await.unwrap();
        let events = self.store.events(&EventFilter::default(), None, 1_000).await.unwrap();
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// The first event of a token that meets a condition: it is written when the reply has ended, which a client may
    /// see before.
    pub async fn event(&self, name: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let of_name = |event: &Event| event.token_name.as_deref() == Some(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.events().await;
            if let Some(event) = events.iter().find(|event| of_name(event) && is_it(event)) {
                return event.clone();
            }
            assert!(Instant::now() < deadline, "no such event of `{name}` among {events:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn metrics(&self) -> String {
        self.admin.get("/metrics", "-").await.text().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A secret with another last character.
pub fn mistyped(secret: &str) -> String {
    let (rest, last) = secret.split_at(secret.len() - 1);
    format!("{rest}{}", if last == "x" { "y" } else { "x" })
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
