//! How a service is used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidegate_limit::front;

use crate::address::Address;
use crate::failure::Failure;
use crate::tls;

/// A node's monotonic clock. It decides nothing but when a service that did not answer is asked again.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How a service is used.
#[derive(Clone)]
pub struct Config {
    /// Where it is.
    pub address: Address,
    /// Whose certificates are believed and our own, if the address says TLS.
    pub tls: Tls,
    /// Which of its domains is asked.
    pub domain: String,
    /// The longest time that a caller waits for an answer; whole milliseconds.
    pub budget: Duration,
    /// The longest time to connect, TLS included.
    pub connect: Duration,
    /// The longest time to wait for an answer before the connection is given up. Callers wait for less: an answer that
    /// comes later than they wait shows that the service is there.
    pub patience: Duration,
    /// Calls under way at one time. What is beyond them is answered by failure policies.
    pub calls: usize,
    /// The node's clock.
    pub clock: Clock,
}

/// Whose certificates are believed, and our own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that sign the service's: PEM. `None`: those that the system believes.
    pub ca: Option<Vec<u8>>,
    /// Our own certificate and its key, if the service asks for one: PEM, PEM.
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
    /// The defaults for a domain of the service at an address.
    #[must_use]
    pub fn new(address: Address, domain: &str, clock: Clock) -> Self {
        Self {
            address,
            tls: Tls::default(),
            domain: domain.to_owned(),
            budget: Duration::from_millis(20),
            connect: Duration::from_secs(1),
            patience: Duration::from_secs(1),
            calls: 1024,
            clock,
        }
    }

    /// Every limit of a request is a batch of its own, and no refusal is repeated: what is asked may be another limit
    /// by now.
    pub(crate) fn front(&self) -> front::Config {
        let waiting = self.calls.max(1);
        let refusal = Duration::ZERO;
        front::Config { combine: false, batch: 1, under_way: usize::MAX, waiting, refusal, ..front::Config::default() }
    }
}

/// Without keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("address", &self.address).field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}
