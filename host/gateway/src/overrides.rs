//! What the command line says beside the configuration. It wins, after a reload, too.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::{Config, Listener};

/// What the command line says. What is absent, the configuration says.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Overrides {
    /// Where to listen, in place of all listeners. What the first of them says of groups and proxies holds there.
    pub listen: Option<SocketAddr>,
    /// Where to serve health and metrics.
    pub admin: Option<SocketAddr>,
    /// The folder of the policies.
    pub policies: Option<PathBuf>,
    /// The folder of the candidate policies.
    pub shadow: Option<PathBuf>,
    /// Folders of policies are taken without `policies.lock`, too, whatever the configuration says.
    pub unlocked: bool,
    /// The file of the store.
    pub store: Option<PathBuf>,
    /// The file to which requests are recorded.
    pub record: Option<PathBuf>,
}

impl Overrides {
    /// The configuration with these.
    #[must_use]
    pub fn apply(&self, mut config: Config) -> Config {
        let Self { listen, admin, policies, shadow, unlocked, store, record } = self;
        if let Some(address) = listen {
            // Another address is no reason to forget who comes there, and which proxies are believed.
            config.listeners.truncate(1);
            match config.listeners.first_mut() {
                Some(listener) => listener.address = *address,
                None => config.listeners.push(Listener::at(*address)),
            }
        }
        if admin.is_some() {
            config.admin = *admin;
        }
        config.unlocked |= unlocked;
        for (given, place) in [
            (policies, &mut config.policies),
            (shadow, &mut config.shadow),
            (store, &mut config.store),
            (record, &mut config.record),
        ] {
            if given.is_some() {
                place.clone_from(given);
            }
        }
        config
    }
}
