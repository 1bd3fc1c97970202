//! Whom a listener believes what their headers say.

use http::HeaderName;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Who is trusted: by default nobody, loopback included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Peers whose identity and forwarding headers are taken for what they say.
    pub peers: Vec<Network>,
    /// Headers that say who the user is: removed from the requests of any other peer.
    pub identity_headers: Vec<HeaderName>,
}

impl Trust {
    /// Whether a peer at this address is trusted.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.peers.iter().any(|network| network.contains(address))
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNetwork {
    /// Neither an address nor an address and a length.
    #[error("write for example `10.0.0.0/8`, `192.0.2.7` or `fd00::/8`")]
    Syntax,
    /// The address has fewer bits.
    #[error("the length can be at most {0}")]
    Length(u8),
    /// The address has bits beyond the length, so that it is unclear what is meant.
    #[error("the address has bits beyond its length: write `{0}`")]
    HostBits(Network),
}

impl Network {
    /// Whether it holds every address of its kind.
    #[must_use]
    pub fn is_everyone(&self) -> bool {
        self.bits == 0
    }

    /// Whether it holds the address. An IPv4 address within IPv6 is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Syntax)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|&bits| bits <= most).ok_or(BadNetwork::Length(most))?
            }
            Some(_) => return Err(BadNetwork::Syntax),
        };
        let network = Self { address: masked(address, bits), bits };
        if network.address == address { Ok(network) } else { Err(BadNetwork::HostBits(network)) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The address without the bits behind the first `bits`.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests;
