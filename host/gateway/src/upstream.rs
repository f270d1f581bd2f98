//! Requests to providers.

use std::collections::HashMap;
use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::body::Source;
use crate::certificates;
use crate::config::{Config, ConfigError, KeptCredential, Proxy, Reach, Timeouts};
use crate::egress::Egress;
use crate::live::LiveError;

/// How long a connection to a provider is kept without use. Most servers close after a minute or more.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Connections without use that are kept for each provider.
const POOL_IDLE_MAX: usize = 1_024;

/// Bytes of the head of a provider's reply.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// Why a provider has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// There is no connection to be had.
    #[error("the provider cannot be reached")]
    Unreachable,
    /// The connection broke before the reply began.
    #[error("the provider broke off before its reply")]
    Broken,
    /// The reply did not begin in time.
    #[error("the provider did not answer in time")]
    Late,
}

type Connections = Client<HttpsConnector<Egress>, Full<Bytes>>;

/// Connections to all providers.
pub(crate) struct Upstream {
    /// To those that are reached as everybody is.
    usual: Connections,
    /// To the others, by their ids: nobody else's connection is taken for them, nor theirs for anybody else.
    own: HashMap<String, Connections>,
    first_byte: Duration,
}

impl Upstream {
    /// Connections to these providers, with certificates and credentials as they are now.
    ///
    /// # Errors
    ///
    /// [`LiveError`], where a certificate or a credential cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, LiveError> {
        let mut own = HashMap::new();
        for (id, provider) in config.providers.iter().filter(|(_, provider)| !provider.reach.is_usual()) {
            own.insert(id.clone(), connections(&provider.reach, &config.timeouts)?);
        }
        let usual = connections(&Reach::default(), &config.timeouts)?;
        Ok(Self { usual, own, first_byte: config.timeouts.first_byte })
    }

    /// Sends a request and waits for the head of its reply.
    pub(crate) async fn send(
        &self,
        provider: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Source>, UpstreamError> {
        let connections = self.own.get(provider).unwrap_or(&self.usual);
        match timeout(self.first_byte, connections.request(request)).await {
            Ok(Ok(response)) => Ok(response.map(Source::Incoming)),
            Ok(Err(error)) if error.is_connect() => {
                tracing::warn!(cause = %chain(&error), "a provider cannot be reached");
                Err(UpstreamError::Unreachable)
            }
            Ok(Err(error)) => {
                tracing::warn!(cause = %chain(&error), "a provider broke off");
                Err(UpstreamError::Broken)
            }
            Err(_) => Err(UpstreamError::Late),
        }
    }
}

fn connections(reach: &Reach, timeouts: &Timeouts) -> Result<Connections, LiveError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(timeouts.connect));
    http.set_keepalive(Some(POOL_IDLE));
    let egress = match &reach.proxy {
        None => Egress::Direct(http),
        Some(Proxy { url, credential }) => {
            let credential = credential.as_ref().map(KeptCredential::header).transpose().map_err(ConfigError::from)?;
            Egress::proxied(http, url, credential, timeouts.connect)
        }
    };
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(certificates::to_provider(reach)?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(egress);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .build(https))
}

/// An error with its causes, for the log.
fn chain(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
