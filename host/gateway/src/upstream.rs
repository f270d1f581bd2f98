//! Requests to providers.

use std::error::Error as _;
use std::io;
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
use crate::config::Timeouts;

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

/// Connections to all providers.
pub(crate) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    first_byte: Duration,
}

impl Upstream {
    /// Connections that wait as long as this says.
    ///
    /// # Errors
    ///
    /// What TLS says, where it cannot be set up.
    pub(crate) fn new(timeouts: &Timeouts) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeouts.connect));
        http.set_keepalive(Some(POOL_IDLE));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(io::Error::other)?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(https);
        Ok(Self { client, first_byte: timeouts.first_byte })
    }

    /// Sends a request and waits for the head of its reply.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Source>, UpstreamError> {
        match timeout(self.first_byte, self.client.request(request)).await {
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
