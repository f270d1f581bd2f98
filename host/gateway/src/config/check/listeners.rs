//! Where clients connect, and what is known of a request by where it came in.

use std::net::{IpAddr, SocketAddr};

use cedargate_http::route::PathPrefix;
use ipnet::IpNet;

use super::Checker;
use super::bounds::small;
use crate::config::raw::{RawListener, RawRoute, Text};
use crate::config::{DEFAULT_CONNECTIONS_PER_PEER, Listener, Route};

impl Checker<'_, '_> {
    pub(super) fn listeners(&mut self, raw: Vec<RawListener>, others: &[Option<SocketAddr>]) -> Vec<Listener> {
        let mut listeners: Vec<Listener> = Vec::new();
        for RawListener { address: text, consumer_group, trusted_proxies, connections_per_peer, tls, routes } in raw {
            let Some(address) = self.address(&text) else { continue };
            let taken = listeners
                .iter()
                .map(|listener| listener.address)
                .chain(others.iter().copied().flatten())
                .any(|other| other == address);
            if taken && address.port() != 0 {
                self.finder.at(
                    text.span(),
                    format!("`{address}` stands twice"),
                    "give every listener, `admin` and `control` an address of its own",
                );
            }
            let consumer_group = consumer_group.and_then(|group| self.name(&group));
            let trusted_proxies = trusted_proxies.iter().filter_map(|network| self.network(network)).collect();
            let routes = self.routes(routes);
            let connections_per_peer = connections_per_peer
                .map_or(DEFAULT_CONNECTIONS_PER_PEER, |count| small(self.between(&count, 0, 1_000_000)));
            let tls = tls.map(|tls| self.listener_tls(tls));
            listeners.push(Listener { address, consumer_group, routes, trusted_proxies, connections_per_peer, tls });
        }
        listeners
    }

    fn routes(&mut self, raw: Vec<RawRoute>) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for RawRoute { path_prefix: text, consumer_group } in raw {
            let consumer_group = self.name(&consumer_group);
            let path_prefix = match text.get_ref().parse::<PathPrefix>() {
                Ok(prefix) => prefix,
                Err(error) => {
                    let shown = text.get_ref().escape_debug();
                    self.finder.at(text.span(), format!("`{shown}` cannot be a path prefix"), error.to_string());
                    continue;
                }
            };
            if routes.iter().any(|route| route.path_prefix == path_prefix) {
                self.finder.at(text.span(), format!("`{path_prefix}` stands twice"), "keep one of them");
            }
            if let Some(consumer_group) = consumer_group {
                routes.push(Route { path_prefix, consumer_group });
            }
        }
        routes
    }

    pub(super) fn address(&mut self, text: &Text) -> Option<SocketAddr> {
        match text.get_ref().parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.finder.at(
                    text.span(),
                    format!("`{}` is not an address to listen at", text.get_ref().escape_debug()),
                    "write an IP address and a port, for example `127.0.0.1:41002` or `[::]:41002`",
                );
                None
            }
        }
    }

    pub(super) fn network(&mut self, text: &Text) -> Option<IpNet> {
        let network = text.get_ref();
        let parsed = network.parse::<IpNet>().ok().or_else(|| network.parse::<IpAddr>().ok().map(IpNet::from));
        if parsed.is_none() {
            self.finder.at(
                text.span(),
                format!("`{}` is not a network", network.escape_debug()),
                "write an address or a network, for example `10.0.0.0/8`",
            );
        }
        parsed.map(|network| network.trunc())
    }
}
