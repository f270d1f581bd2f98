//! How connections to providers are made: directly, or through a proxy.
//!
//! A proxy is given by the configuration alone; no variable of the environment chooses one.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

type Failure = Box<dyn std::error::Error + Send + Sync>;

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, Failure>> + Send>>;

/// The port of `http`.
const HTTP_PORT: u16 = 80;

/// The port of `https`.
const HTTPS_PORT: u16 = 443;

/// Makes connections.
#[derive(Clone)]
pub(crate) enum Egress {
    /// To the provider itself.
    Direct(HttpConnector),
    /// To a proxy, which is asked by CONNECT for the provider, whether that speaks TLS or not.
    Proxied {
        /// Asks the proxy.
        tunnel: Tunnel<HttpConnector>,
        /// How long the proxy has to be reached and to answer.
        patience: Duration,
    },
}

impl Egress {
    /// Through a proxy, with this value of `Proxy-Authorization`. It has twice as long as a connection has: it makes one,
    /// too.
    pub(crate) fn proxied(
        http: HttpConnector,
        proxy: &Uri,
        credential: Option<HeaderValue>,
        connect: Duration,
    ) -> Self {
        let mut tunnel = Tunnel::new(proxy.clone(), http);
        if let Some(credential) = credential {
            tunnel = tunnel.with_auth(credential);
        }
        Self::Proxied { tunnel, patience: connect.saturating_mul(2) }
    }
}

impl Service<Uri> for Egress {
    type Response = TokioIo<TcpStream>;
    type Error = Failure;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self {
            Self::Direct(http) => http.poll_ready(cx).map_err(Into::into),
            Self::Proxied { tunnel, .. } => tunnel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, destination: Uri) -> Connecting {
        match self {
            Self::Direct(http) => {
                let connecting = http.call(destination);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
            Self::Proxied { tunnel, patience } => {
                let patience = *patience;
                let connecting = with_port(destination).map(|destination| tunnel.call(destination));
                Box::pin(async move {
                    match timeout(patience, connecting?).await {
                        Ok(connected) => connected.map_err(Into::into),
                        Err(_) => Err("the proxy did not answer in time".into()),
                    }
                })
            }
        }
    }
}

/// The same place with its port: a proxy is asked for both.
fn with_port(destination: Uri) -> Result<Uri, Failure> {
    if destination.port().is_some() {
        return Ok(destination);
    }
    let port = if destination.scheme_str() == Some("https") { HTTPS_PORT } else { HTTP_PORT };
    let host = destination.host().ok_or("the provider has no host")?;
    let authority = format!("{host}:{port}").parse()?;
    let mut parts = destination.into_parts();
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert(http::uri::PathAndQuery::from_static("/"));
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_a_port() {
        let asked = |url: &str| with_port(url.parse().unwrap()).unwrap().to_string();
        assert_eq!(asked("https://api.example/v1"), "https://api.example:443/v1");
        assert_eq!(asked("http://api.example/"), "http://api.example:80/");
        assert_eq!(asked("http://[::1]/"), "http://[::1]:80/");
        assert_eq!(asked("http://api.example:8080/"), "http://api.example:8080/");
    }
}
