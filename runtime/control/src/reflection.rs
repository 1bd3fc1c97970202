//! One fetch of a schema by server reflection: which endpoint, which version, within which time.

mod call;

use bytes::Bytes;
use call::Failure;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_telemetry::metrics::upstreams::Source as _;
use tidegate_transcode::ports::{REFLECTION_METHODS, Reflector};
use tidegate_upstream::{Discovery, Upstream};

/// Asks an upstream for its descriptors, again and again. Must be used within a runtime, always the same.
///
/// Endpoints are asked in the order of the config, and the first that tells its descriptors counts: one
/// fetch never mixes what two of them say. The connection stays open in between.
pub struct Fetcher {
    upstream: String,
    endpoints: Vec<Endpoint>,
    services: Vec<String>,
    timeout: Duration,
    reflector: Arc<dyn Reflector>,
    /// The endpoint that answered last.
    answered: AtomicUsize,
}

struct Endpoint {
    name: String,
    pool: Upstream,
}

/// What an upstream says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The endpoint that said it.
    pub endpoint: String,
    /// The gRPC method by which it did, one of [`REFLECTION_METHODS`].
    pub method: &'static str,
    /// A serialized `google.protobuf.FileDescriptorSet`, imports included. Equal sources give equal bytes.
    pub descriptor_set: Bytes,
}

/// No endpoint told its descriptors; why, for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// The upstream's name.
    pub upstream: String,
    /// Each endpoint that was asked, and what came of it.
    pub attempts: Vec<(String, String)>,
}

// === impl Fetcher ===

impl Fetcher {
    /// For the endpoints of `pool`; its limits hold for each of them. `services` are those that routes name; what else the upstream lists
    /// comes along.
    #[must_use]
    pub fn new(
        pool: &tidegate_upstream::Config,
        timeout: Duration,
        services: Vec<String>,
        reflector: Arc<dyn Reflector>,
    ) -> Self {
        let endpoint = |address: &tidegate_upstream::Endpoint| Endpoint {
            name: address.to_string(),
            pool: Upstream::new(tidegate_upstream::Config {
                endpoints: vec![address.clone()],
                weights: Vec::new(),
                discovery: None,
                health: None,
                outlier: None,
                connections_max: 1,
                connections_ahead: 0,
                // While it is open the server has not been restarted.
                idle_timeout: None,
                ..pool.clone()
            }),
        };
        Self {
            upstream: pool.name.clone(),
            endpoints: match &pool.discovery {
                // One of its addresses, whichever connects.
                Some(Discovery::Dns { name, .. }) => vec![endpoint(name)],
                _ => pool.endpoints.iter().map(endpoint).collect(),
            },
            services,
            timeout,
            reflector,
            answered: AtomicUsize::new(0),
        }
    }

    /// Asks the endpoints until one has answered everything.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    ///
    /// # Errors
    /// None did, each within the timeout.
    pub async fn fetch(&self) -> Result<Fetched, FetchError> {
        let mut attempts = Vec::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            match self.ask(endpoint).await {
                Ok(fetched) => {
                    self.answered.store(index, Ordering::Relaxed);
                    return Ok(fetched);
                }
                Err(why) => attempts.push((endpoint.name.clone(), why)),
            }
        }
        Err(FetchError { upstream: self.upstream.clone(), attempts })
    }

    /// Whether the connection over which the last answer came is still open.
    pub(crate) fn is_connected(&self) -> bool {
        let endpoint = self.endpoints.get(self.answered.load(Ordering::Relaxed));
        endpoint.is_some_and(|endpoint| endpoint.pool.stats().figures().connections_open > 0)
    }

    /// Asks one endpoint in the newest version that it has.
    async fn ask(&self, endpoint: &Endpoint) -> Result<Fetched, String> {
        for method in REFLECTION_METHODS {
            let conversation = self.reflector.begin(&self.services);
            let told = call::converse(&endpoint.pool, &self.upstream, method, conversation, self.timeout).await;
            match told {
                Ok(set) => {
                    return Ok(Fetched { endpoint: endpoint.name.clone(), method, descriptor_set: set.into() });
                }
                Err(Failure::Unimplemented) => {}
                Err(Failure::Other(why)) => return Err(why),
            }
        }
        Err("it has no server reflection, neither grpc.reflection.v1 nor v1alpha".to_owned())
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

// === impl FetchError ===

/// `127.0.0.1:50051: cannot connect: …; 127.0.0.1:50052: …`
impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (endpoint, why)) in self.attempts.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{endpoint}: {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FetchError {}
