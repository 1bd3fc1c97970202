//! What the data plane is told to do: plain, validated, without serde. `tidegate_control` fills it in
//! from the config file; [`crate::snapshot`] compiles it.

mod breaker;
mod edits;
mod forward;
pub mod limits;
mod metadata;
mod rate_limits;
mod resilience;
mod stores;
pub(crate) mod template;
mod traffic;
mod trust;

pub use breaker::{Breaker, BreakerKey, DEFAULT_MAX_KEYS, Fallback, FallbackAnswer, MAX_KEYS};
pub use edits::HeaderEdits;
pub use forward::{Action, Forward, Redirect, Respond, Rewrite, Upgrade};
pub use limits::Limits;
pub use metadata::{B3, Case, Mapping, MetadataPolicy, Preset};
pub use rate_limits::{LimitName, QUOTA_OF_SERVICE, RateLimit, Secret, Tells};
pub use resilience::{Priority, PriorityHeader, Protection, Resilience};
pub use stores::Store;
pub use template::{BadTemplate, Placeholder, Template};
pub use traffic::{CanaryPlan, CanaryRule, PlainRoute};
pub use trust::{BadNetwork, Network, Trust};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tidegate_transcode::TranscodeOptions;

/// How long a whole unary call may take where neither route nor caller says less.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a stream may be silent.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long requests in flight may go on after SIGTERM.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(10);

/// How often an upstream is asked whether its descriptors have changed.
pub const DEFAULT_REFLECTION_INTERVAL: Duration = Duration::from_secs(30);
/// How long one endpoint may take to tell all its descriptors: a few hundred files, far away.
pub const DEFAULT_REFLECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything in force at one time.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Threads of the data plane; 0 is one per core.
    pub workers: usize,
    /// How long requests in flight may go on after SIGTERM.
    pub drain: Duration,
    /// How long everything is still served after SIGTERM while readiness says no, before the drain begins:
    /// time for load balancers to notice.
    pub drain_delay: Duration,
    /// Connections from clients, of all listeners together.
    pub connections: limits::Connections,
    /// The memory of the process.
    pub memory: limits::Memory,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Named sets of endpoints.
    pub upstreams: Vec<Upstream>,
    /// Routes to services, in the order of the file.
    pub routes: Vec<Route>,
    /// Plain routes, in the order of the file.
    pub plain: Vec<PlainRoute>,
    /// Which request headers become metadata.
    pub metadata: MetadataPolicy,
    /// How many requests of whom, in the order of the file: what listeners and routes name.
    pub rate_limits: Vec<RateLimit>,
    /// What gateways share, in the order of the file: what limits name.
    pub stores: Vec<Store>,
    /// gRPC services that the gateway answers by itself, where no route has them.
    pub grpc: LocalServices,
}

/// gRPC services that the gateway answers by itself; all off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalServices {
    /// `grpc.health.v1.Health`: the gateway, and each service that is routed.
    pub health: bool,
    /// `grpc.reflection.v1.ServerReflection` and `v1alpha`: the services that are routed.
    pub reflection: bool,
}

/// A place in the config file, for errors found after parsing; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// Something wrong with the config, or with what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the config file; `None` when another file is at fault.
    pub place: Option<Place>,
    /// One sentence, lower case, no full stop. Names the other file and line if it is elsewhere.
    pub message: String,
    /// What to do about it, if that can be told.
    pub help: Option<String>,
}

/// A socket that accepts h1 and h2c.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// What its clients may take.
    pub limits: Arc<Limits>,
    /// Whose headers are believed.
    pub trust: Arc<Trust>,
    /// Those that its requests pass first, when only their heads are known.
    pub rate_limits: Vec<LimitName>,
    /// `listeners[i].bind` in the file.
    pub place: Place,
}

impl Listener {
    /// A listener with the default limits.
    #[must_use]
    pub fn new(bind: SocketAddr, place: Place) -> Self {
        Self { bind, limits: Arc::default(), trust: Arc::default(), rate_limits: Vec::new(), place }
    }
}

/// A named set of endpoints that serve the same gRPC services.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// As routes name it.
    pub name: String,
    /// Pool settings and endpoints.
    pub pool: tidegate_upstream::Config,
    /// How large its messages may be.
    pub replies: limits::Replies,
    /// What keeps calls from it that it cannot take.
    pub protection: Protection,
    /// Where its descriptors come from.
    pub schema: Schema,
    /// `upstreams.<name>` in the file.
    pub place: Place,
}

/// Where descriptors come from.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The source.
    pub source: SchemaSource,
    /// The place of `schema` in the file.
    pub place: Place,
    /// Service-config YAML files whose `http.rules` override the annotations, read by control:
    /// (path of the file, rules).
    pub http_rules: Vec<(String, Vec<tidegate_transcode::HttpRule>)>,
}

/// The kinds of schema source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SchemaSource {
    /// None: nothing can be transcoded.
    #[default]
    None,
    /// A serialized `FileDescriptorSet` (`protoc --include_imports -o`).
    DescriptorSet(PathBuf),
    /// Folders of `.proto` files, compiled in process.
    Proto(Vec<PathBuf>),
    /// That of another upstream, by name.
    Like(String),
    /// What its endpoints say of themselves, followed as long as the gateway runs.
    Reflection(Reflection),
}

/// How an upstream is asked for its descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reflection {
    /// The time between two fetches.
    pub interval: Duration,
    /// The time that one endpoint has for all its answers.
    pub timeout: Duration,
}

impl Default for Reflection {
    fn default() -> Self {
        Self { interval: DEFAULT_REFLECTION_INTERVAL, timeout: DEFAULT_REFLECTION_TIMEOUT }
    }
}

impl Config {
    /// The upstream whose schema the one at `index` has: itself, or the end of its chain of `like`.
    /// `None` if the chain does not end.
    #[must_use]
    pub fn schema_owner(&self, index: usize) -> Option<usize> {
        let mut at = index;
        for _ in 0..=self.upstreams.len() {
            let SchemaSource::Like(other) = &self.upstreams.get(at)?.schema.source else { return Some(at) };
            at = self.upstreams.iter().position(|upstream| upstream.name == *other)?;
        }
        None
    }
}

/// Match + policies + upstream.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Full name of a gRPC service: all its `google.api.http` bindings.
    pub service: String,
    /// Which hosts.
    pub host: HostPattern,
    /// Name of the upstream.
    pub upstream: String,
    /// The whole call; `None` is [`DEFAULT_TIMEOUT`] for unary calls and no limit for streams.
    pub timeout: Option<Duration>,
    /// The longest request body, in bytes, in place of the listener's.
    pub max_body: Option<usize>,
    /// The longest message of a reply, in bytes, before and after decompression, in place of the
    /// upstream's.
    pub max_message: Option<usize>,
    /// How JSON, queries and bodies are read and written.
    pub transcode: TranscodeOptions,
    /// Which headers become metadata, in place of [`Config::metadata`].
    pub metadata: Option<MetadataPolicy>,
    /// Of its calls these go elsewhere: the first rule that holds.
    pub canary: Vec<CanaryRule>,
    /// When its calls are not made any more; `None` is never.
    pub breaker: Option<Breaker>,
    /// Whether its calls are made again, and how many at once.
    pub resilience: Resilience,
    /// The limits that its calls pass.
    pub rate_limits: Vec<LimitName>,
    /// Its place among all routes of the file, plain ones included.
    pub order: usize,
    /// `routes[i].service` in the file.
    pub place: Place,
}

/// Which hosts a route is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Every host.
    #[default]
    Any,
    /// This name, lower case, without port.
    Exact(String),
    /// `*.example.com`, kept as `.example.com`: at least one label in front.
    Suffix(String),
}
