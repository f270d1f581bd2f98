//! What an enforcement point knows of itself.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use cedargate::model::Timestamp;
use http::Extensions;
use http::request::Parts;

use crate::client_ip::TrustedProxies;
use crate::extract::Limits;
use crate::facts::Facts;
use crate::reply::Refusal;

/// The address of whoever connected. The server that accepts connections puts it into a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What an enforcement point knows of itself, and of where requests come from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of this gateway.
    pub gateway_id: Option<Arc<str>>,
    /// The consumer group that requests come from.
    pub consumer_group: Option<Arc<str>>,
    /// The organization that this gateway serves.
    pub org_id: Option<Arc<str>>,
    /// The proxies in front of it.
    pub trusted_proxies: TrustedProxies,
    /// What a request may cost.
    pub limits: Limits,
    /// Where to find the address of whoever connected: in [`Peer`] unless set otherwise. A token that is bound to
    /// networks is denied where there is none.
    pub peer: fn(&Extensions) -> Option<IpAddr>,
    /// The time at which a request is decided: the system's clock unless set otherwise.
    pub clock: fn() -> Timestamp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway_id: None,
            consumer_group: None,
            org_id: None,
            trusted_proxies: TrustedProxies::none(),
            limits: Limits::default(),
            peer: |extensions| extensions.get::<Peer>().map(|Peer(address)| *address),
            clock: Timestamp::now,
        }
    }
}

impl Settings {
    pub(super) fn facts(&self, parts: &Parts) -> Result<Facts<'_>, Refusal> {
        let peer = (self.peer)(&parts.extensions);
        let client_ip = peer.map(|peer| self.trusted_proxies.client_ip(peer, &parts.headers)).transpose()?;
        Ok(Facts {
            gateway_id: self.gateway_id.as_deref().map(Cow::Borrowed),
            consumer_group: self.consumer_group.as_deref().map(Cow::Borrowed),
            org_id: self.org_id.as_deref().map(Cow::Borrowed),
            client_ip,
            ..Facts::default()
        })
    }
}
