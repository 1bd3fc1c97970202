//! Where requests are told of, and what of their limits other gateways know. It belongs to a config, like all else that
//! a request sees: what began under one is told where that one says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use tidegate_limit::ports::SharedLimits;
use tidegate_telemetry::access_log::AccessLog;
use tidegate_telemetry::tracer::Tracer;
use tokio::sync::oneshot;

/// Stores of limits by their names, each open as long as somebody has it.
pub type Stores = HashMap<String, Arc<dyn SharedLimits>>;

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
