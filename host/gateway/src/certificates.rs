//! TLS: the certificates of listeners and of connections to providers, as their files hold them now.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::{Config, KeyPair, Listener, ListenerTls, Reach};
use crate::serve::Role;

/// Bytes of a file of certificates: all public authorities fit.
const PEM_BYTES_MAX: u64 = 2 << 20;

/// What listeners speak inside of TLS, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {cause}; {help}", path.display())]
pub struct CertificateError {
    path: PathBuf,
    cause: String,
    help: &'static str,
}

impl CertificateError {
    fn new(path: &Path, cause: impl ToString, help: &'static str) -> Self {
        Self { path: path.to_owned(), cause: cause.to_string(), help }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How each listener speaks TLS; where one is absent, in clear text.
pub(crate) struct Shown {
    clients: Vec<Option<Arc<ServerConfig>>>,
    admin: Option<Arc<ServerConfig>>,
    control: Option<Arc<ServerConfig>>,
}

impl Shown {
    /// Reads what the listeners show.
    pub(crate) fn read(
        clients: &[Listener],
        admin: Option<&ListenerTls>,
        control: Option<&ListenerTls>,
    ) -> Result<Self, CertificateError> {
        let one = |tls: Option<&ListenerTls>| tls.map(of_listener).transpose();
        let clients = clients.iter().map(|listener| one(listener.tls.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { clients, admin: one(admin)?, control: one(control)? })
    }

    /// How TLS is spoken to those who come there.
    pub(crate) fn to(&self, role: Role) -> Option<Arc<ServerConfig>> {
        match role {
            Role::Clients(listener) => self.clients.get(listener)?.clone(),
            Role::Admin => self.admin.clone(),
            Role::Control => self.control.clone(),
        }
    }
}

/// How a listener speaks TLS.
fn of_listener(tls: &ListenerTls) -> Result<Arc<ServerConfig>, CertificateError> {
    let unfit = |cause: rustls::Error| unfit(&tls.own, cause);
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(unfit)?;
    let builder = match &tls.client_ca_file {
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider()).build();
            let help = "write the authorities of the clients' certificates into it";
            builder.with_client_cert_verifier(verifier.map_err(|cause| CertificateError::new(path, cause, help))?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = pair(&tls.own)?;
    let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// How the gateway speaks TLS to a provider.
pub(crate) fn to_provider(reach: &Reach) -> Result<ClientConfig, CertificateError> {
    let nowhere = Path::new("TLS");
    let at = reach.own.as_ref().map_or(nowhere, |own| &own.cert_file);
    let unfit =
        |cause: rustls::Error| CertificateError::new(at, cause, "the certificate and the key must belong together");
    let roots = match &reach.ca_file {
        Some(path) => roots(path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(unfit)?.with_root_certificates(roots);
    match &reach.own {
        Some(own) => {
            let (chain, key) = pair(own)?;
            builder.with_client_auth_cert(chain, key).map_err(unfit)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn unfit(own: &KeyPair, cause: rustls::Error) -> CertificateError {
    CertificateError::new(&own.cert_file, cause, "the certificate and the key must belong together")
}

fn pair(own: &KeyPair) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    let chain = certificates(&own.cert_file)?;
    let help = "write one private key in PEM into it, without a password";
    let key = PrivateKeyDer::from_pem_slice(&read(&own.key_file)?);
    // What the parser says may hold a part of the key.
    let key = key.map_err(|_| CertificateError::new(&own.key_file, "it holds no private key in PEM", help))?;
    Ok((chain, key))
}

fn roots(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|cause| CertificateError::new(path, cause, "remove what is no certificate of an authority"))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let help = "write certificates in PEM into it";
    let bytes = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let read = read.map_err(|_| CertificateError::new(path, "it is no PEM", help))?;
    if read.is_empty() { Err(CertificateError::new(path, "it holds no certificate", help)) } else { Ok(read) }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unread = |cause| CertificateError::new(path, cause, "name a file that the gateway may read");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    file.take(PEM_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PEM_BYTES_MAX {
        return Err(CertificateError::new(path, "it is larger than 2 MiB", "write certificates in PEM into it"));
    }
    Ok(bytes)
}

impl Config {
    /// Reads all certificates and keys that the configuration names, as a gateway does that starts with it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] of the first that cannot be used.
    pub fn check_certificates(&self) -> Result<(), CertificateError> {
        self.listener_tls().try_for_each(|tls| of_listener(tls).map(drop))?;
        self.providers.values().try_for_each(|provider| to_provider(&provider.reach).map(drop))
    }

    fn listener_tls(&self) -> impl Iterator<Item = &ListenerTls> {
        let clients = self.listeners.iter().map(|listener| &listener.tls);
        clients.chain([&self.admin_tls, &self.control_tls]).flatten()
    }

    /// Every file of certificates and their keys.
    pub(crate) fn certificate_files(&self) -> Vec<PathBuf> {
        let of_pair = |own: &KeyPair| [own.cert_file.clone(), own.key_file.clone()];
        let mut files = Vec::new();
        for tls in self.listener_tls() {
            files.extend(of_pair(&tls.own));
            files.extend(tls.client_ca_file.clone());
        }
        for provider in self.providers.values() {
            files.extend(provider.reach.ca_file.clone());
            files.extend(provider.reach.own.iter().flat_map(of_pair));
        }
        files
    }
}

/// What the files hold, in short: their keys are not kept.
pub(crate) fn look(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.hash(&mut hasher);
        read(path).ok().hash(&mut hasher);
    }
    hasher.finish()
}
