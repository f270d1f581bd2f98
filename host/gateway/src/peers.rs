//! How many connections each peer has at a listener.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of an IPv6 address that one peer cannot choose: whoever has one address of a network of this size has them all.
const IPV6_NETWORK_BITS: u32 = 64;

/// The connections of all peers at a listener.
#[derive(Default)]
pub(crate) struct Peers {
    counts: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection of a peer. Dropped, it does not count any more.
pub(crate) struct PeerPlace {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// A place for another connection of this peer; `None` where it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, most: u32) -> Option<PeerPlace> {
        let peer = network(peer);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_default();
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        Some(PeerPlace { peers: Arc::clone(self), peer })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut counts = self.peers.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

/// Whoever may be one peer.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let host_bits = Ipv6Addr::BITS.saturating_sub(IPV6_NETWORK_BITS);
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or_default();
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_so_many_places_and_no_more_until_it_leaves_one() {
        let peers = Arc::new(Peers::default());
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        let first = peers.enter(peer, 2).unwrap();
        let _second = peers.enter("::ffff:192.0.2.1".parse().unwrap(), 2).unwrap();
        assert!(peers.enter(peer, 2).is_none());
        assert!(peers.enter("192.0.2.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(peers.enter(peer, 2).is_some());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_peer_and_nothing_is_kept_of_who_left() {
        let peers = Arc::new(Peers::default());
        let place = peers.enter("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(peers.enter("2001:db8::ffff:2".parse().unwrap(), 1).is_none());
        assert!(peers.enter("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
        drop(place);
        assert!(peers.counts.lock().unwrap().is_empty());
    }
}
