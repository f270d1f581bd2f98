//! Certificates, and how providers are reached.

use http::Uri;
use toml::Spanned;

use super::Checker;
use crate::config::raw::{RawTls, Text};
use crate::config::{KeptCredential, KeyPair, ListenerTls, Proxy, Reach};

/// What a provider's table says of how it is reached.
pub(super) struct RawReach {
    pub(super) ca_file: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) cert_key_file: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) proxy_auth_env: Option<Text>,
    pub(super) proxy_auth_file: Option<Text>,
}

impl Checker<'_, '_> {
    pub(super) fn listener_tls(&self, raw: RawTls) -> ListenerTls {
        let RawTls { cert_file, key_file, client_ca_file } = raw;
        ListenerTls {
            own: KeyPair { cert_file: self.folder.join(cert_file), key_file: self.folder.join(key_file) },
            client_ca_file: client_ca_file.map(|file| self.folder.join(file)),
        }
    }

    /// How a provider at this URL is reached.
    pub(super) fn reach(&mut self, raw: RawReach, url: Option<&Uri>) -> Reach {
        let RawReach { ca_file, cert_file, cert_key_file, proxy, proxy_auth_env, proxy_auth_file } = raw;
        let speaks_tls = url.is_some_and(|url| url.scheme_str() == Some("https"));
        for file in [&ca_file, &cert_file, &cert_key_file].into_iter().flatten().filter(|_| !speaks_tls) {
            self.finder.at(
                file.span(),
                "this provider is not reached by TLS",
                "remove this, or write an `https://` URL",
            );
        }
        if let Some(proxy) = proxy.as_ref().filter(|_| url.is_none()) {
            self.finder.at(proxy.span(), "this provider is not reached by a network", "remove `proxy`");
        }
        let path = |file: Text| self.folder.join(file.into_inner());
        let ca_file = ca_file.map(path);
        let own = match (cert_file, cert_key_file) {
            (Some(cert), Some(key)) => Some(KeyPair { cert_file: path(cert), key_file: path(key) }),
            (Some(one), None) | (None, Some(one)) => {
                self.finder.at(
                    one.span(),
                    "a certificate and its key are two files",
                    "add `cert_file` or `cert_key_file`",
                );
                None
            }
            (None, None) => None,
        };
        let credential = self.credential(proxy_auth_env, proxy_auth_file, proxy.is_some());
        let url = proxy.and_then(|proxy| self.proxy_url(&proxy));
        Reach { ca_file, own, proxy: url.map(|url| Proxy { url, credential }) }
    }

    fn credential(&mut self, env: Option<Text>, file: Option<Text>, has_proxy: bool) -> Option<KeptCredential> {
        if let Some(one) = env.as_ref().or(file.as_ref()).filter(|_| !has_proxy) {
            self.finder.at(one.span(), "a credential without a proxy", "add `proxy`, or remove this");
        }
        match (env, file) {
            (Some(_), Some(file)) => {
                self.finder.at(file.span(), "two credentials", "keep one of `proxy_auth_env` and `proxy_auth_file`");
                None
            }
            (Some(name), None) => {
                let place = self.finder.place(&name.span());
                Some(KeptCredential::in_env(name.into_inner(), place))
            }
            (None, Some(file)) => {
                let place = self.finder.place(&file.span());
                Some(KeptCredential::in_file(self.folder.join(file.get_ref()), place))
            }
            (None, None) => None,
        }
    }

    fn proxy_url(&mut self, text: &Spanned<String>) -> Option<Uri> {
        match proxy_url(text.get_ref()) {
            Ok(url) => Some(url),
            Err(cause) => {
                let help = "write for example `http://proxy.example:3128`";
                self.finder.at(text.span(), format!("this is not a proxy: {cause}"), help);
                None
            }
        }
    }
}

/// Where a proxy is: a host and a port.
fn proxy_url(text: &str) -> Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it cannot be read")?;
    if url.scheme_str() != Some("http") {
        return Err("it does not begin with `http://`, which is all that the gateway speaks to proxies");
    }
    let authority = url.authority().ok_or("it has no host")?;
    if authority.as_str().contains('@') {
        return Err("it holds a name or a password: say them with `proxy_auth_env` or `proxy_auth_file`");
    }
    if authority.host().is_empty() || authority.port().is_none() {
        return Err("it has no host, or no port");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || text.contains('#') {
        return Err("it holds more than a host and a port");
    }
    Ok(url)
}
