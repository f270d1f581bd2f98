//! The configuration: one TOML file, checked whole before anything of it is used.

mod check;
mod exposure;
mod ids;
mod key;
mod limits;
mod problem;
mod raw;
mod tls;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use cedargate_http::hygiene::Passing;
use cedargate_http::route::{self, PathPrefix};
use cedargate_tokens::{Allowance, Period, Retention};
use http::Uri;
use ipnet::IpNet;

pub(crate) use ids::is_name;
pub use key::{KeptKey, ProviderKey};
pub use limits::{Limits, Timeouts};
pub use problem::{ConfigError, Problem, Problems};
pub use tls::{KeptCredential, KeyPair, ListenerTls, Proxy, Reach};

/// Bytes of a configuration file: thousands of models and teams fit.
pub(crate) const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Where the gateway listens where nothing else is said: the port that the product's pages name.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 41_002);

/// Where health and metrics are served where nothing else is said.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 41_003);

/// The id of a gateway that has none in its configuration.
const DEFAULT_GATEWAY_ID: &str = "gateway";

/// Connections at once of one peer where nothing else is said: a fifth of a listener's. More than an office behind one
/// address has, and too few to keep everybody else out.
const DEFAULT_CONNECTIONS_PER_PEER: u32 = 2_000;

/// The name of the built-in provider.
pub(crate) const ECHO: &str = "echo";

/// A configuration in which everything holds together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Whether nothing at all is said: the file is empty, or holds comments only.
    pub says_nothing: bool,
    /// The name of this gateway, which `bindings.gateway_id` of a token must be.
    pub gateway_id: String,
    /// The organization that this gateway serves.
    pub org_id: Option<String>,
    /// Where clients connect. At least one.
    pub listeners: Vec<Listener>,
    /// Where health and metrics are served; `None` where they are not.
    pub admin: Option<SocketAddr>,
    /// How TLS is spoken there; absent: not at all.
    pub admin_tls: Option<ListenerTls>,
    /// Where tokens are made and changed over HTTP; `None` where they are not.
    pub control: Option<SocketAddr>,
    /// How TLS is spoken there; absent: not at all.
    pub control_tls: Option<ListenerTls>,
    /// Proxies before the control plane whose `x-forwarded-for` is believed.
    pub control_proxies: Vec<IpNet>,
    /// The longest life of a token that is made or changed.
    pub token_life_max: Option<Period>,
    /// Which events are kept.
    pub events: Retention,
    /// The providers, by id.
    pub providers: BTreeMap<String, Provider>,
    /// The models, in the order in which they are tried.
    pub models: Vec<Model>,
    /// Names that stand for several models, each with its models in the order in which they are tried.
    pub aliases: BTreeMap<String, Vec<(String, String)>>,
    /// The teams that have restrictions or budgets, by id.
    pub teams: BTreeMap<String, Team>,
    /// What is taken from outside at most.
    pub limits: Limits,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// The folder of the policies; the built-in ones where absent.
    pub policies: Option<PathBuf>,
    /// The folder of the candidate policies that are decided beside the live ones.
    pub shadow: Option<PathBuf>,
    /// Folders of policies are taken without `policies.lock`, too: somebody else sees to it that they are whole.
    pub unlocked: bool,
    /// The file of the store.
    pub store: Option<PathBuf>,
    /// The file to which requests are recorded.
    pub record: Option<PathBuf>,
    /// The Unix socket at which the head of the audit log is told with each change of a token.
    pub syslog: Option<PathBuf>,
}

/// A place where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address. Port 0 is any free one.
    pub address: SocketAddr,
    /// The consumer group that requests here come from, where no route says another.
    pub consumer_group: Option<String>,
    /// Routes whose requests come from another group. No two have the same prefix.
    pub routes: Vec<Route>,
    /// Proxies whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at once of one peer that is no trusted proxy: of one IPv4 address, or of one IPv6 network of 64 bits.
    /// 0: as many as it likes.
    pub connections_per_peer: u32,
    /// How TLS is spoken there; absent: not at all.
    pub tls: Option<ListenerTls>,
}

/// Some of the paths of a listener.
///
/// Nothing but the endpoint says which route a request takes: a client may write any `Host`, and would choose its
/// group by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Where its paths begin. Of several that hold, the longest counts.
    pub path_prefix: PathPrefix,
    /// The consumer group that requests there come from.
    pub consumer_group: String,
}

/// A provider of models.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Provider {
    /// Which requests it takes.
    pub dialect: Dialect,
    /// Where it is; absent for the built-in one.
    pub base_url: Option<Uri>,
    /// Where the gateway's own key there is kept.
    pub key: Option<KeptKey>,
    /// Whether models are taken that the configuration does not name.
    pub any_model: bool,
    /// How keys of this provider begin that clients may present themselves. Empty: they may not.
    pub pass_through: Vec<String>,
    /// The headers of clients that it gets.
    pub passing: Passing,
    /// Fields of a body that it takes although they could lead it elsewhere: see
    /// [`ROUTING_FIELDS`](cedargate_http::extract::ROUTING_FIELDS).
    pub body_fields: Vec<&'static str>,
    /// How it is reached.
    pub reach: Reach,
}

/// Which requests a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's, with `Authorization: Bearer`.
    OpenAi,
    /// Anthropic's, with `x-api-key`.
    Anthropic,
    /// Azure's paths, with `api-key`.
    Azure,
    /// Gemini's paths, with `x-goog-api-key`.
    Gemini,
    /// The built-in provider, which answers in every dialect.
    Echo,
}

impl Dialect {
    const NAMES: [(&'static str, Self); 5] = [
        ("openai", Self::OpenAi),
        ("anthropic", Self::Anthropic),
        ("azure", Self::Azure),
        ("gemini", Self::Gemini),
        (ECHO, Self::Echo),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, dialect)| dialect)
    }

    /// The headers that real clients of this dialect send, and their providers need.
    fn passing(self) -> Passing {
        let spoken: &[route::Dialect] = match self {
            Self::OpenAi => &[route::Dialect::OpenAi],
            Self::Anthropic => &[route::Dialect::Anthropic],
            Self::Azure => &[route::Dialect::Azure],
            Self::Gemini => &[route::Dialect::Gemini],
            // It answers by itself, and reads no header.
            Self::Echo => &[],
        };
        Passing::of(spoken)
    }
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Model {
    /// The provider's id.
    pub provider: String,
    /// The name that clients and policies use.
    pub name: String,
    /// The name that the provider uses, where it is another.
    pub upstream: Option<String>,
    /// The groups that it lies in.
    pub groups: Vec<String>,
    /// Tokens that one reply has at most, where the request does not say.
    pub max_output_tokens: Option<u64>,
    /// What it costs. Where it is absent nobody knows, and no budget of money admits the model.
    pub price: Option<Price>,
}

impl Model {
    /// `PROVIDER/NAME`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.provider, self.name)
    }
}

/// Millionths of a dollar for one token, which is dollars for a million of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Price {
    /// For a token that is read.
    pub input: f64,
    /// For a token that is read from the provider's cache.
    pub cached_input: f64,
    /// For a token that is written.
    pub output: f64,
    /// For the request itself, in dollars for a million requests.
    pub request: f64,
}

/// A team's restrictions and budgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Team {
    /// Models that the team may use, written like a binding; absent: all.
    pub models: Option<Vec<String>>,
    /// Providers that the team may use; absent: all.
    pub providers: Option<Vec<String>>,
    /// What the team may spend.
    pub budgets: Vec<Allowance>,
}

impl Default for Config {
    /// What runs without a file: one listener on loopback and the built-in provider.
    fn default() -> Self {
        Self {
            says_nothing: true,
            gateway_id: DEFAULT_GATEWAY_ID.to_owned(),
            org_id: None,
            listeners: vec![Listener::at(DEFAULT_LISTEN)],
            admin: Some(DEFAULT_ADMIN),
            admin_tls: None,
            control: None,
            control_tls: None,
            control_proxies: Vec::new(),
            token_life_max: None,
            events: Retention::default(),
            providers: BTreeMap::from([(ECHO.to_owned(), Provider::echo())]),
            models: ["gpt-4o", "gpt-4o-mini", "o3", "claude-sonnet-4-5", "text-embedding-3-small"]
                .into_iter()
                .map(Model::echo)
                .collect(),
            aliases: BTreeMap::new(),
            teams: BTreeMap::new(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            policies: None,
            shadow: None,
            unlocked: false,
            store: None,
            record: None,
            syslog: None,
        }
    }
}

impl Listener {
    /// A listener without a consumer group that trusts no proxy.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            consumer_group: None,
            routes: Vec::new(),
            trusted_proxies: Vec::new(),
            connections_per_peer: DEFAULT_CONNECTIONS_PER_PEER,
            tls: None,
        }
    }
}

impl Provider {
    fn echo() -> Self {
        Self {
            dialect: Dialect::Echo,
            base_url: None,
            key: None,
            any_model: true,
            pass_through: Vec::new(),
            passing: Dialect::Echo.passing(),
            body_fields: Vec::new(),
            reach: Reach::default(),
        }
    }
}

impl Model {
    fn echo(name: &str) -> Self {
        Self {
            provider: ECHO.to_owned(),
            name: name.to_owned(),
            upstream: None,
            groups: Vec::new(),
            max_output_tokens: None,
            price: Some(Price { input: 2.5, cached_input: 1.25, output: 10.0, request: 0.0 }),
        }
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it are those from its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Io`] and [`ConfigError::TooLarge`] where the file cannot be read, [`ConfigError::Refused`]
    /// with every mistake in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let io = |cause| ConfigError::Io { path: path.to_owned(), cause };
        let mut text = String::new();
        let file = File::open(path).map_err(io)?;
        file.take(CONFIG_BYTES_MAX.saturating_add(1)).read_to_string(&mut text).map_err(io)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned(), limit: CONFIG_BYTES_MAX });
        }
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text, &path.display().to_string(), folder)
    }

    /// Reads the gateway's own keys at the providers, by the providers' ids; the credentials for their proxies are only
    /// tried. They may change at any time, and only who sends requests to providers needs them.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Refused`] with every key that cannot be read.
    pub fn keys(&self) -> Result<BTreeMap<String, ProviderKey>, ConfigError> {
        let mut keys = BTreeMap::new();
        let mut problems = Vec::new();
        for (id, provider) in &self.providers {
            match provider.key.as_ref().map(|kept| kept.read(id, provider.dialect)) {
                Some(Ok(key)) => drop(keys.insert(id.clone(), key)),
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
            let credential = provider.reach.proxy.as_ref().and_then(|proxy| proxy.credential.as_ref());
            if let Some(Err(problem)) = credential.map(KeptCredential::header) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(keys) } else { Err(ConfigError::Refused(Problems::new(problems))) }
    }

    /// Checks a text. `file` is the name for messages; relative paths are those from `folder`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Refused`] with every mistake in it.
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self, ConfigError> {
        check::read(text, file, folder)
    }
}
