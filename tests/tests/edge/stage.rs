//! The shop and a gateway before it, in this process, on free ports.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;
use tidegate_gateway::config::{Config, HostPattern, Limits, Listener, Place, Route, Schema, SchemaSource, Upstream};
use tidegate_gateway::server::{Listeners, Server};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Snapshot, Telemetry};
use tidegate_schema::Compiler;
use tidegate_shop::{PROTO_FILES, Shop};
use tidegate_telemetry::metrics::Metrics;
use tidegate_transcode::ports::SchemaCompiler;

const SERVICES: [&str; 4] = ["shop.v1.Customers", "shop.v1.Orders", "shop.v1.Inventory", "shop.v1.ShortLinks"];

/// How long a stopping server may wait for requests in flight.
const DRAIN: Duration = Duration::from_secs(60);

/// What listens, until the process ends.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
}

/// One stage for all tests that only look at answers.
pub(crate) static STAGE: LazyLock<Stage> = LazyLock::new(Stage::set);

impl Stage {
    /// Waits for this line among the metrics: the gateway's thread writes it when it gets there.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &str) {
        let found = (0..1000).any(|_| {
            let mut text = String::new();
            self.gateway.telemetry().metrics.encode(&mut text).expect("text");
            let found = text.lines().any(|other| other == line);
            if !found {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            found
        });
        assert!(found, "it was never counted: {line}");
    }

    pub(crate) fn set() -> Self {
        Self::with(Limits::default())
    }

    /// One whose clients may take this.
    pub(crate) fn with(limits: Limits) -> Self {
        let listener = Listener { limits: Arc::new(limits), ..Listener::new(local(), Place::default()) };
        let mut config = Config { workers: 1, drain: DRAIN, listeners: vec![listener], ..Config::default() };
        let shop = shop();
        let endpoint = tidegate_upstream::Endpoint { host: shop.ip().to_string(), port: shop.port() };
        config.upstreams.push(Upstream {
            name: "shop".into(),
            pool: tidegate_upstream::Config::new("shop", vec![endpoint]),
            replies: Default::default(),
            protection: Default::default(),
            schema: Schema { source: SchemaSource::None, ..Schema::default() },
            place: Place::default(),
        });
        config.routes.extend(SERVICES.map(|service| Route {
            service: service.into(),
            host: HostPattern::Any,
            upstream: "shop".into(),
            ..Route::default()
        }));
        let listeners = Listeners::bind(&config).expect("a free port");
        let address = listeners.addresses()[0];
        let metrics = Arc::new(Metrics::new("0", 1));
        let schemas = Schemas::from([("shop".to_owned(), schema())]);
        let snapshot = Snapshot::compile(config, &schemas, &metrics, 1).expect("the config compiles");
        let gateway = Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }));
        Server::start(&gateway, listeners).expect("a worker");
        Self { address, gateway }
    }
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn schema() -> Arc<tidegate_protojson::Schema> {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (path, text) in PROTO_FILES {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        std::fs::write(path, text).expect("proto file");
    }
    let set = Compiler::default().compile(&[folder.path().into()]).expect("protos compile");
    Arc::new(tidegate_protojson::Schema::compile(&[&set]).expect("descriptors compile"))
}

/// Serves the shop from a thread of its own.
fn shop() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut shop = Shop::start(None, local()).expect("a free port");
            tell.send(shop.addr()).expect("the test waits");
            shop.wait().await.expect("the shop serves");
        });
    });
    told.recv().expect("the shop serves")
}
