//! Where certificates are kept, for those who connect and for those who are connected to.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};

use super::key::Kept;
use super::problem::{Place, Problem};

/// A certificate with its chain, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPair {
    /// PEM: the certificate first, then those that lead to its authority.
    pub cert_file: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key_file: PathBuf,
}

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerTls {
    /// What the gateway shows.
    pub own: KeyPair,
    /// PEM: the authorities of the clients' certificates. Where this is set, who shows none of theirs is not served.
    pub client_ca_file: Option<PathBuf>,
}

/// How the gateway reaches a provider, where that is not as everybody does.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reach {
    /// PEM: the authorities of the provider's certificate, in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// What the gateway shows.
    pub own: Option<KeyPair>,
    /// Through which proxy.
    pub proxy: Option<Proxy>,
}

impl Reach {
    /// Whether it is as everybody does.
    pub(crate) const fn is_usual(&self) -> bool {
        self.ca_file.is_none() && self.own.is_none() && self.proxy.is_none()
    }
}

/// A proxy that connects to providers, by CONNECT.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proxy {
    /// Its place: `http://HOST:PORT`.
    pub url: Uri,
    /// Where the name and the password for it are kept.
    pub credential: Option<KeptCredential>,
}

/// Where a name with its password is kept. It is not printed: somebody may have written the password itself there.
#[derive(Clone)]
pub struct KeptCredential {
    kept: Kept,
    place: Place,
}

impl fmt::Debug for KeptCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptCredential(***)")
    }
}

impl KeptCredential {
    pub(super) fn in_env(name: String, place: Place) -> Self {
        Self { kept: Kept::Env(name), place }
    }

    pub(super) fn in_file(path: PathBuf, place: Place) -> Self {
        Self { kept: Kept::File(path), place }
    }

    /// The value of `Proxy-Authorization`.
    ///
    /// # Errors
    ///
    /// A [`Problem`] where there is no `NAME:PASSWORD`.
    pub(crate) fn header(&self) -> Result<HeaderValue, Problem> {
        let help = match &self.kept {
            Kept::Env(_) => "set the variable to `NAME:PASSWORD`, or name another in `proxy_auth_env`",
            Kept::File(_) => "write `NAME:PASSWORD` into the file, or name another in `proxy_auth_file`",
        };
        let header = self.kept.read().and_then(|text| basic(text.trim()).map_err(str::to_owned));
        header.map_err(|cause| Problem::at(self.place.clone(), format!("the proxy's credential: {cause}"), help))
    }
}

fn basic(credential: &str) -> Result<HeaderValue, &'static str> {
    let (name, _) = credential.split_once(':').ok_or("it holds no `:`")?;
    if name.is_empty() || credential.chars().any(char::is_control) {
        return Err("it has no name, or holds control characters");
    }
    let mut header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credential)))
        .map_err(|_| "it is not fit for a header")?;
    header.set_sensitive(true);
    Ok(header)
}
