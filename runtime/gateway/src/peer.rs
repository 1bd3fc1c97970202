//! Who is at the other end of a connection.

use http::HeaderValue;
use std::net::SocketAddr;

/// The client's end of a connection. Made once per connection, cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address; `None` in embedded mode without one.
    pub address: Option<SocketAddr>,
    /// The address as `x-forwarded-for` has it.
    pub(crate) forwarded_for: HeaderValue,
}

impl Peer {
    /// A peer at a TCP address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let text = address.ip().to_canonical().to_string();
        let forwarded_for = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"));
        Self { address: Some(address), forwarded_for }
    }

    /// A peer without an address, as in the same process.
    #[must_use]
    pub fn unknown() -> Self {
        Self { address: None, forwarded_for: HeaderValue::from_static("unknown") }
    }
}
