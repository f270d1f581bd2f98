//! Addresses and networks in the form that the facts give them.

use std::fmt;
use std::net::IpAddr;

/// Bits of an IPv4-mapped IPv6 address before the IPv4 address begins.
const MAPPED_PREFIX_BITS: u32 = 96;

/// An address. An IPv4-mapped IPv6 address is the IPv4 address.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// A network: its first address, and how many bits of it count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a bare address, which is the network of that address alone.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let bits = bits.map_or_else(|| Some(width(address)), |bits| bits.parse().ok())?;
        let first = first_of(address, bits)?;
        match (first.to_canonical(), bits.checked_sub(MAPPED_PREFIX_BITS)) {
            (mapped @ IpAddr::V4(_), Some(bits)) if first.is_ipv6() => Some(Self { first: mapped, bits }),
            _ => Some(Self { first, bits }),
        }
    }

    /// Whether an address lies in it. The two families never meet.
    #[must_use]
    pub fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.bits) == Some(self.first)
    }

    /// Whether every address of another network lies in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.holds(other.first)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all but its first bits cleared; `None` where it has fewer bits than that.
fn first_of(address: IpAddr, bits: u32) -> Option<IpAddr> {
    let cleared = width(address).checked_sub(bits)?;
    Some(match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(cleared).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(cleared).unwrap_or(0)).into()),
    })
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, address};

    #[test]
    fn networks_are_canonical_and_families_stay_apart() {
        for (text, canonical) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Network::read(text).unwrap().to_string(), canonical);
        }
        let holds = |network: &str, client: &str| Network::read(network).unwrap().holds(address(client).unwrap());
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.7"));
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(Network::read("10.0.0.0/33").is_none());
        let covers = |wide: &str, narrow: &str| Network::read(wide).unwrap().covers(Network::read(narrow).unwrap());
        assert!(covers("10.0.0.0/8", "::ffff:10.1.0.0/112"));
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8"));
        assert!(!covers("::/0", "10.0.0.0/8"));
    }
}
