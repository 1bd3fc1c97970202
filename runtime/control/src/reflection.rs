//! One fetch of a schema by server reflection: which endpoint, which version, within which time.

mod call;
mod places;

use crate::endpoints::Finders;
use bytes::Bytes;
use call::Failure;
use parking_lot::Mutex;
use places::{Asked, Places};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tidegate_telemetry::metrics::upstreams::Source as _;
use tidegate_transcode::ports::{REFLECTION_METHODS, Reflector};

/// Endpoints that are told of by name when none has answered.
const TOLD_MAX: usize = 8;

/// What it takes to ask an upstream for its schema. The program knows both.
#[derive(Clone)]
pub struct Asking {
    /// What is said.
    pub reflector: Arc<dyn Reflector>,
    /// Who finds endpoints that are not listed.
    pub finders: Arc<dyn Finders>,
}

/// Asks an upstream for its descriptors, again and again. Must be used within a runtime, always the same.
///
/// Endpoints that are listed are asked in the order of the config, those that are found as they are found for each fetch, the one
/// that told last before the others. The first that tells its descriptors counts: one
/// fetch never mixes what two of them say. The connection stays open in between.
pub struct Fetcher {
    upstream: String,
    places: Places,
    services: Vec<String>,
    timeout: Duration,
    reflector: Arc<dyn Reflector>,
    /// The endpoint that answered last.
    answered: Mutex<Option<Arc<Asked>>>,
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
    /// Each endpoint that was asked, or where they were looked for, and what came of it.
    pub attempts: Vec<(String, String)>,
}

// === impl Fetcher ===

impl Fetcher {
    /// For the endpoints of `pool`; its limits hold for each of them. `services` are those that routes name; what else the upstream lists
    /// comes along. Finding the endpoints may take as long as one of them may to tell everything, which is `timeout`.
    #[must_use]
    pub fn new(
        pool: &tidegate_upstream::Config,
        timeout: Duration,
        services: Vec<String>,
        Asking { reflector, finders }: &Asking,
    ) -> Self {
        Self {
            upstream: pool.name.clone(),
            places: Places::new(pool, finders, timeout),
            services,
            timeout,
            reflector: Arc::clone(reflector),
            answered: Mutex::default(),
        }
    }

    /// Asks the endpoints until one has answered everything. If they cannot be found, those that were found last are asked.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    ///
    /// # Errors
    /// None did, each within the timeout; or there is none.
    pub async fn fetch(&self) -> Result<Fetched, FetchError> {
        let (endpoints, lost) = self.places.now().await;
        let mut attempts = Vec::from_iter(lost);
        for endpoint in endpoints {
            match self.ask(&endpoint).await {
                Ok(fetched) => {
                    self.places.told(&endpoint);
                    *self.answered.lock() = Some(endpoint);
                    return Ok(fetched);
                }
                Err(why) => attempts.push((endpoint.name.clone(), why)),
            }
        }
        Err(FetchError { upstream: self.upstream.clone(), attempts })
    }

    /// Whether the connection over which the last answer came is still open.
    pub(crate) fn is_connected(&self) -> bool {
        let answered = self.answered.lock();
        answered.as_ref().is_some_and(|endpoint| endpoint.pool.stats().figures().connections_open > 0)
    }

    /// Asks one endpoint in the newest version that it has.
    async fn ask(&self, endpoint: &Asked) -> Result<Fetched, String> {
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

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("finders", &self.finders).finish_non_exhaustive()
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
        for (index, (endpoint, why)) in self.attempts.iter().take(TOLD_MAX).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{endpoint}: {why}")?;
        }
        match self.attempts.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for FetchError {}
