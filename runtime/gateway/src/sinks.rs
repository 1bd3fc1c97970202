//! Where requests are told of, and what of their limits other gateways know. It belongs to a config, like all else that
//! a request sees: what began under one is told where that one says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use tidegate_limit::ports::{LimitService, SharedLimits, Standing};
use tidegate_telemetry::access_log::AccessLog;
use tidegate_telemetry::tracer::Tracer;
use tokio::sync::oneshot;

/// Stores of limits by their names, each open as long as somebody has it.
pub type Stores = HashMap<String, OpenStore>;

/// Where limits are kept that gateways share.
#[derive(Clone, Debug)]
pub enum OpenStore {
    /// Counters: what limits are is said here.
    Counters(Arc<dyn SharedLimits>),
    /// A service that has rules of its own.
    Service(Arc<dyn LimitService>),
}

impl OpenStore {
    /// Its counters, if it has any.
    #[must_use]
    pub fn counters(&self) -> Option<&Arc<dyn SharedLimits>> {
        match self {
            Self::Counters(limits) => Some(limits),
            Self::Service(_) => None,
        }
    }

    /// The service, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<&Arc<dyn LimitService>> {
        match self {
            Self::Counters(_) => None,
            Self::Service(service) => Some(service),
        }
    }

    /// How things stand, for operators.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self {
            Self::Counters(limits) => limits.standing(),
            Self::Service(service) => service.standing(),
        }
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counters(one), Self::Counters(other)) => Arc::ptr_eq(one, other),
            (Self::Service(one), Self::Service(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl From<Arc<dyn SharedLimits>> for OpenStore {
    fn from(limits: Arc<dyn SharedLimits>) -> Self {
        Self::Counters(limits)
    }
}

impl From<Arc<dyn LimitService>> for OpenStore {
    fn from(service: Arc<dyn LimitService>) -> Self {
        Self::Service(service)
    }
}

/// The access log, the traces and the stores of a config: what the program opens.
#[derive(Clone, Debug, Default)]
pub struct Sinks {
    /// One line per request; `None` is off and costs nothing.
    pub access_log: Option<Arc<InUse<AccessLog>>>,
    /// Which requests are traced, and where their spans go; without one the gateway takes no part in
    /// traces, and passes on what it is sent.
    pub tracer: Option<Arc<InUse<Tracer>>>,
    /// Where limits are kept that gateways share. A limit whose store is not among them is answered as if the store
    /// did not answer.
    pub stores: Stores,
}

/// What requests use, and somebody waits to close.
#[derive(Debug)]
pub struct InUse<T> {
    what: T,
    /// Dropped with it.
    _gone: oneshot::Sender<Infallible>,
}

/// Tells when something is no longer in use.
#[derive(Debug)]
pub struct Unused(oneshot::Receiver<Infallible>);

impl<T> InUse<T> {
    /// `what`, to be shared, and who tells when the last one let go of it.
    pub fn new(what: T) -> (Arc<Self>, Unused) {
        let (gone, unused) = oneshot::channel();
        (Arc::new(Self { what, _gone: gone }), Unused(unused))
    }
}

impl<T> Deref for InUse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

impl Unused {
    /// Waits until nobody uses it any more: no config, no request.
    pub async fn wait(self) {
        // Nothing is ever sent.
        let _ = self.0.await;
    }
}
