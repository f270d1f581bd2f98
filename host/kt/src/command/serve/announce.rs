//! What a gateway says of itself once it answers.

use std::net::SocketAddr;
use std::path::Path;

use cedargate_gateway::Running;
use cedargate_gateway::config::ListenerTls;

/// Says where the gateway listens, and what it was started with.
pub(super) fn announce(running: &Running, configuration: Option<&Path>, store: &Path) {
    let config = running.config();
    let or_built_in = |path: Option<&Path>| path.map_or("built in".to_owned(), |path| path.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        gateway = config.gateway_id,
        configuration = or_built_in(configuration),
        store = %store.display(),
        policies = or_built_in(config.policies.as_deref()),
        policy_set = running.policy_set(),
        "started"
    );
    for (address, listener) in running.addresses().iter().zip(&config.listeners) {
        let group = listener.consumer_group.as_deref().unwrap_or("-");
        listens("clients", *address, listener.tls.as_ref(), group);
    }
    if let Some(address) = running.admin_address() {
        listens("health and metrics", address, config.admin_tls.as_ref(), "-");
    }
    if let Some(address) = running.control_address() {
        listens("the management of tokens", address, config.control_tls.as_ref(), "-");
    }
}

fn listens(to: &str, address: SocketAddr, tls: Option<&ListenerTls>, consumer_group: &str) {
    let client_certificates = tls.is_some_and(|tls| tls.client_ca_file.is_some());
    tracing::info!(%address, to, tls = tls.is_some(), client_certificates, consumer_group, "listening");
}
