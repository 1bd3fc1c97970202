//! Which connections are taken: so many in all, so many of one listener, so many of one address.

use crate::config::{Limits, Trust};
use crate::gateway::Gateway;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tidegate_telemetry::metrics::listeners::{Listener, Open, Refusal};

/// Open connections of the process.
#[derive(Debug)]
pub(crate) struct Total {
    open: AtomicUsize,
    max: AtomicUsize,
}

/// The gate of one listener, shared by all workers.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: ArcSwap<Limits>,
    trust: ArcSwap<Trust>,
    metrics: Arc<Listener>,
    open: AtomicUsize,
    /// Only addresses that have a connection are here: it is as bounded as they are.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    gateway: Arc<Gateway>,
    admission: Arc<Admission>,
    address: IpAddr,
    _open: Open,
}

impl Total {
    pub(crate) fn new(max: usize) -> Self {
        Self { open: AtomicUsize::new(0), max: AtomicUsize::new(max) }
    }

    /// The system allows fewer than the config.
    pub(super) fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }
}

impl Admission {
    /// The gate of a listener that metrics know as `metrics`.
    pub(crate) fn new(limits: Arc<Limits>, trust: Arc<Trust>, metrics: Arc<Listener>) -> Arc<Self> {
        metrics.set_limit(limits.connections as u64);
        let (limits, trust) = (ArcSwap::new(limits), ArcSwap::new(trust));
        Arc::new(Self { limits, trust, metrics, open: AtomicUsize::new(0), addresses: Mutex::default() })
    }

    /// Those that hold for connections from now on.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// Takes on what a new config says of the listener. Connections that are too many now are not closed.
    pub(crate) fn set(&self, limits: &Arc<Limits>, trust: &Arc<Trust>) {
        self.metrics.set_limit(limits.connections as u64);
        self.limits.store(Arc::clone(limits));
        self.trust.store(Arc::clone(trust));
    }

    /// Whose connections are believed from now on; each request is held to its own config.
    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// Takes a connection from `address`, or says why not, which is then counted.
    pub(crate) fn admit(self: &Arc<Self>, gateway: &Arc<Gateway>, address: IpAddr) -> Result<Permit, Refusal> {
        let admitted = self.try_admit(gateway, block(address));
        admitted.inspect_err(|why| self.metrics.refused(*why))
    }

    fn try_admit(self: &Arc<Self>, gateway: &Arc<Gateway>, address: IpAddr) -> Result<Permit, Refusal> {
        if gateway.memory().is_full() {
            return Err(Refusal::Memory);
        }
        let total = gateway.connections();
        if !take(&total.open, total.max.load(Relaxed)) {
            return Err(Refusal::Process);
        }
        let limits = self.limits.load();
        if !take(&self.open, limits.connections) {
            total.open.fetch_sub(1, Relaxed);
            return Err(Refusal::Listener);
        }
        if !self.take_address(address, limits.connections_per_ip) {
            total.open.fetch_sub(1, Relaxed);
            self.open.fetch_sub(1, Relaxed);
            return Err(Refusal::Address);
        }
        let admission = Arc::clone(self);
        Ok(Permit { gateway: Arc::clone(gateway), admission, address, _open: self.metrics.accepted() })
    }

    fn take_address(&self, address: IpAddr, max: usize) -> bool {
        let mut addresses = self.addresses.lock();
        let open = addresses.entry(address).or_default();
        let free = *open < max;
        *open += usize::from(free);
        free
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gateway.connections().open.fetch_sub(1, Relaxed);
        self.admission.open.fetch_sub(1, Relaxed);
        let mut addresses = self.admission.addresses.lock();
        if let Some(open) = addresses.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Adds one if that stays within `max`.
fn take(open: &AtomicUsize, max: usize) -> bool {
    let taken = open.fetch_add(1, Relaxed) < max;
    if !taken {
        open.fetch_sub(1, Relaxed);
    }
    taken
}

/// What one client can be expected to have: an IPv4 address, or an IPv6 /64.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
