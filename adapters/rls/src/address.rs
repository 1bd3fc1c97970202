//! Where a service is, as a URL says it.

use std::fmt;
use std::net::Ipv6Addr;

/// That of envoyproxy/ratelimit.
const PORT: u16 = 8081;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address; one of IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the way is TLS.
    pub tls: bool,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("it begins with rls://, or with rlss:// for TLS")]
    Scheme,
    /// No host.
    #[error("it names no host")]
    NoHost,
    /// A user or a password.
    #[error("it has an @: a rate limit service knows no users")]
    User,
    /// Something behind the port.
    #[error("it ends with the port: the domain is a key of its own")]
    Extra,
    /// Not `host` or `host:port`.
    #[error("`{0}` is not host or host:port")]
    Host(String),
}

impl Address {
    /// Reads `rls://host[:8081]`, or the same with `rlss` (TLS). An IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`AddressError`]
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let tls = match scheme {
            "rls" => false,
            "rlss" => true,
            _ => return Err(AddressError::Scheme),
        };
        if rest.contains('@') {
            return Err(AddressError::User);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(AddressError::Extra);
        }
        if rest.is_empty() {
            return Err(AddressError::NoHost);
        }
        let wrong = || AddressError::Host(rest.to_owned());
        let behind_address = rest.rfind(']').map_or(0, |end| end + 1);
        let (name, port) = match rest[behind_address..].rfind(':') {
            Some(colon) => rest.split_at(behind_address + colon),
            None => (rest, ""),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            None => PORT,
        };
        let host = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok().then_some(address),
            None => (!name.is_empty() && name.bytes().all(is_of_name)).then_some(name),
        };
        Ok(Self { host: host.ok_or_else(wrong)?.to_owned(), port, tls })
    }

    /// `host:port`
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "rlss" } else { "rls" }, self.authority())
    }
}

#[cfg(test)]
mod tests;
