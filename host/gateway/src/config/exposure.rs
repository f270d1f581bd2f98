//! What a configuration leaves open to others, which is allowed, and said.

use std::net::{IpAddr, SocketAddr};

use http::Uri;

use super::{Config, ListenerTls};

impl Config {
    /// What crosses networks in clear text, and what answers others than this machine. Each is a sentence with its cure.
    #[must_use]
    pub fn exposures(&self) -> Vec<String> {
        let mut said = Vec::new();
        for listener in &self.listeners {
            if is_beyond(listener.address) && listener.tls.is_none() {
                said.push(format!(
                    "clients' tokens reach `{}` in clear text: give the listener `tls`, or a proxy that ends TLS on this \
                     machine and a listener on loopback",
                    listener.address
                ));
            }
        }
        let asks_admins = asks_who(self.admin_tls.as_ref());
        if let Some(address) = self.admin.filter(|address| is_beyond(*address) && !asks_admins) {
            said.push(format!(
                "`/metrics` is open to everybody who reaches `{address}`: listen on loopback, or give `admin` a `tls` with \
                 `client_ca_file`"
            ));
        }
        if let Some(address) = self.control.filter(|address| is_beyond(*address)) {
            if self.control_tls.is_none() {
                said.push(format!(
                    "secrets of new tokens leave `{address}` in clear text: listen on loopback, or give `control` a `tls`"
                ));
            }
            if !asks_who(self.control_tls.as_ref()) {
                said.push(format!(
                    "the management of tokens is open to everybody who reaches `{address}`: listen on loopback, or give \
                     `control` a `tls` with `client_ca_file`"
                ));
            }
        }
        for (id, provider) in &self.providers {
            if let Some(url) = provider.base_url.as_ref().filter(|url| is_clear(url)) {
                said.push(format!(
                    "the key and the requests for provider `{id}` cross the network to `{}` in clear text: write `https://`",
                    url.authority().map_or("", |authority| authority.as_str())
                ));
            }
            let proxy = provider.reach.proxy.as_ref();
            if let Some(proxy) = proxy.filter(|proxy| proxy.credential.is_some() && is_clear(&proxy.url)) {
                said.push(format!(
                    "the credential for the proxy of provider `{id}` crosses the network to `{}` in clear text",
                    proxy.url.authority().map_or("", |authority| authority.as_str())
                ));
            }
        }
        said
    }
}

/// Whether others than this machine reach it.
fn is_beyond(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// Whether only those are answered who show a certificate.
fn asks_who(tls: Option<&ListenerTls>) -> bool {
    tls.is_some_and(|tls| tls.client_ca_file.is_some())
}

/// Whether what goes there crosses a network that anybody may listen to.
fn is_clear(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here =
        address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.to_canonical().is_loopback());
    url.scheme_str() == Some("http") && !is_here
}
