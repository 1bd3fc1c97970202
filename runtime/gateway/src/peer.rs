//! Who is at the other end of a connection.

use crate::config::{Limits, Trust};
use crate::room::Room;
use http::HeaderValue;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

static NOBODY: LazyLock<Arc<Trust>> = LazyLock::new(Arc::default);
static DEFAULT: LazyLock<Arc<Limits>> = LazyLock::new(Arc::default);

/// The client's end of a connection. Made once per connection, cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address; `None` in embedded mode without one.
    pub address: Option<SocketAddr>,
    forwarded_for: HeaderValue,
    limits: Arc<Limits>,
    trust: Arc<Trust>,
    trusted: bool,
    /// The listener that it came by, as the config names it.
    pub(crate) listener: Option<SocketAddr>,
    /// For the large replies of its connection.
    pub(crate) room: Room,
}

impl Peer {
    /// A peer at a TCP address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let text = address.ip().to_canonical().to_string();
        let forwarded_for = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"));
        Self::at(Some(address), forwarded_for)
    }

    /// A peer without an address, as in the same process.
    #[must_use]
    pub fn unknown() -> Self {
        Self::at(None, HeaderValue::from_static("unknown"))
    }

    fn at(address: Option<SocketAddr>, forwarded_for: HeaderValue) -> Self {
        Self {
            address,
            forwarded_for,
            limits: Arc::clone(&DEFAULT),
            trust: Arc::clone(&NOBODY),
            trusted: false,
            listener: None,
            room: Room::new(),
        }
    }

    /// The same peer, of whom this may be taken.
    #[must_use]
    pub fn with_limits(self, limits: &Arc<Limits>) -> Self {
        Self { limits: Arc::clone(limits), ..self }
    }

    /// The same peer, believed if its address is among those.
    #[must_use]
    pub fn with_trust(self, trust: &Arc<Trust>) -> Self {
        let trusted = self.address.is_some_and(|address| trust.trusts(address.ip()));
        Self { trust: Arc::clone(trust), trusted, ..self }
    }

    /// Whether what its headers say of user and origin is believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Whom its connection was told to believe.
    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Headers that are believed of trusted peers alone.
    pub(crate) fn identity_headers(&self) -> &[http::HeaderName] {
        &self.trust.identity_headers
    }

    /// The same peer, which came by the listener that binds this address in the config: its requests are
    /// under the limits that the config in force has for that.
    #[must_use]
    pub fn by_listener(self, bind: SocketAddr) -> Self {
        Self { listener: Some(bind), ..self }
    }

    /// The address as `x-forwarded-for` has it.
    #[must_use]
    pub fn forwarded_for(&self) -> &HeaderValue {
        &self.forwarded_for
    }

    /// What may be taken of its connection.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }
}
