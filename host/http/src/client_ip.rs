//! The address of a client.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::reply::{Invalid, Refusal};

/// Addresses that are looked at: longer lists are not made by proxies.
const ADDRESSES_MAX: usize = 64;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the proxies in front of a host, which are believed what they write into `x-forwarded-for`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Nobody is believed: the client is whoever connects.
    #[must_use]
    pub const fn none() -> Self {
        Self { networks: Vec::new() }
    }

    /// The proxies of these networks are believed.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect() }
    }

    /// Whether this is the address of a proxy that is believed.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The address of the client: the peer, or, where that is a trusted proxy, the last entry of `x-forwarded-for`
    /// that is none. An IPv4 address that is mapped into IPv6 is the IPv4 address.
    ///
    /// # Errors
    ///
    /// [`Refusal::RequestInvalid`] where a trusted proxy sends a list that cannot be read, since every rule about
    /// networks would be judged by a guess.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Refusal> {
        let peer = peer.to_canonical();
        if !self.holds(peer) {
            return Ok(peer);
        }
        let mut client = peer;
        let mut decided = false;
        let lists: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        let entries = lists.iter().rev().flat_map(|list| list.as_bytes().rsplit(|byte| *byte == b','));
        for (count, entry) in entries.enumerate() {
            // What stands left of the client is the client's to write, but a list that holds garbage is garbage.
            let address = address(entry).filter(|_| count < ADDRESSES_MAX);
            let address = address.ok_or(Refusal::RequestInvalid(Invalid::ClientAddress))?;
            if !decided {
                client = address;
                decided = !self.holds(address);
            }
        }
        Ok(client)
    }
}

/// An entry: an address, with or without a port. Zones and names are not.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    if text.contains('%') {
        return None;
    }
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(address.to_canonical())
}
