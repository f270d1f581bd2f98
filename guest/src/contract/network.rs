//! Addresses and networks in one canonical form, and which networks hold an address.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// The bits of an IPv4-mapped IPv6 address before the IPv4 address begins.
const MAPPED_PREFIX_BITS: u8 = 96;

/// A text that is no address or no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// No address.
    #[error("is not an IP address; zones and masks do not belong here")]
    Address,
    /// No network.
    #[error("is not a network such as `10.0.0.0/8` or `2001:db8::/32`")]
    Network,
}

/// Reads an address. An IPv4-mapped IPv6 address is the IPv4 address: a dual-stack listener reports every
/// IPv4 client so.
///
/// # Errors
/// [`NetworkError::Address`].
pub fn address(text: &str) -> Result<IpAddr, NetworkError> {
    let read: IpAddr = text.parse().map_err(|_| NetworkError::Address)?;
    Ok(read.to_canonical())
}

/// A network with its host bits cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads a network. A bare address is the network of that address alone.
    ///
    /// # Errors
    /// [`NetworkError::Network`].
    pub fn read(text: &str) -> Result<Self, NetworkError> {
        let refused = NetworkError::Network;
        let (base, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((base, prefix)) => (base, Some(prefix)),
        };
        let base: IpAddr = base.parse().map_err(|_| refused)?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(text)
                if !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_digit())
                    && !(text.len() > 1 && text.starts_with('0')) =>
            {
                text.parse().map_err(|_| refused)?
            }
            Some(_) => return Err(refused),
        };
        if prefix > bits {
            return Err(refused);
        }
        Ok(Self { base, prefix }.canonical())
    }

    fn canonical(self) -> Self {
        let cleared = match self.base {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask32(self.prefix))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask128(self.prefix))),
        };
        match cleared.to_canonical() {
            IpAddr::V4(v4) if cleared.is_ipv6() && self.prefix >= MAPPED_PREFIX_BITS => {
                Self { base: IpAddr::V4(v4), prefix: self.prefix - MAPPED_PREFIX_BITS }
            }
            _ => Self { base: cleared, prefix: self.prefix },
        }
    }

    /// Whether an address lies in this network. The two families never meet.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(a)) => a.to_bits() & mask32(self.prefix) == base.to_bits(),
            (IpAddr::V6(base), IpAddr::V6(a)) => a.to_bits() & mask128(self.prefix) == base.to_bits(),
            _ => false,
        }
    }
}

impl Network {
    /// Whether every address of another network lies in this one.
    #[must_use]
    pub fn holds(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn mask32(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask128(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Network, address};

    fn holds(network: &str, client: &str) -> bool {
        Network::read(network).unwrap().contains(address(client).unwrap())
    }

    #[test]
    fn host_bits_are_cleared_and_mapped_networks_are_ipv4() {
        for (text, canonical) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(Network::read(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn a_network_holds_its_own_family_only() {
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.7"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in
            ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0/8", "10.0.0.0/-1", "::1/129", "fe80::1%eth0/64"]
        {
            assert!(Network::read(text).is_err(), "{text:?}");
        }
        for text in ["", "10.0.0.7/32", "fe80::1%eth0", "010.0.0.1", " 10.0.0.1", "10.0.0.1:80"] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }
}
