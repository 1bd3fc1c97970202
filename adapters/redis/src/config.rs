//! How the servers are used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::failure::Failure;
use crate::tls;

/// A node's monotonic clock. It decides nothing; jumps of servers' clocks are seen against it.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How the servers are used.
#[derive(Clone)]
pub struct Config {
    /// Where they are.
    pub address: Address,
    /// Whose certificates are believed and our own, if the address says TLS.
    pub tls: Tls,
    /// What keys begin with. Gateways that share limits have the same one; `{` and `}` must not be in it.
    pub prefix: String,
    /// The longest time to connect, greetings included.
    pub connect: Duration,
    /// The longest time to wait for an answer before the connection is given up. Callers wait for less: an answer that
    /// comes later than they wait shows that the server is there again.
    pub patience: Duration,
    /// Whether a server that drops keys when its memory is full may be used: a key that was dropped is a limit that
    /// begins anew, full. Off: such a server is refused when it is connected to.
    pub evicting: bool,
    /// Whether limits begin full after a server lost its data (or was never used before), rather than used up.
    pub forgiving: bool,
    /// The node's clock.
    pub clock: Clock,
}

/// Whose certificates are believed, and our own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that sign those of the servers: PEM. `None`: those that the system believes.
    pub ca: Option<Vec<u8>>,
    /// Our own certificate and its key, if servers ask for one: PEM, PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// Whether certificates and keys can be used.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), Failure> {
        if *self == Self::default() {
            return Ok(());
        }
        tls::connector(self).map(drop)
    }
}

impl Config {
    /// The defaults for an address.
    #[must_use]
    pub fn new(address: Address, clock: Clock) -> Self {
        Self {
            address,
            tls: Tls::default(),
            prefix: "tidegate:".to_owned(),
            connect: Duration::from_secs(1),
            patience: Duration::from_secs(1),
            evicting: false,
            forgiving: false,
            clock,
        }
    }
}

/// Without passwords and keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("address", &self.address).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}
