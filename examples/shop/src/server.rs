//! The shop as one tower service, and that service on a port.

mod reflection;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::{Duration, SystemTime},
};

use http::{Request, Response};
use http_body_util::BodyExt;
use prost::bytes::Buf;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tonic::{
    Status,
    body::Body,
    server::NamedService,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::pb::health_server::HealthServer;
use tower_service::Service;

use crate::{
    generated::shop::v1::{
        customers_server::CustomersServer, faults_server::FaultsServer, inventory_server::InventoryServer,
        orders_server::OrdersServer, payments_server::PaymentsServer, shipping_server::ShippingServer,
        short_links_server::ShortLinksServer,
    },
    services::{Clock, Context, Customers, Faults, Health, Inventory, Orders, Payments, Shipping, ShortLinks},
    store::{Store, seed},
    version::{Version, Versioned},
};

/// Streams of one connection. tonic has no bound of its own; a gateway that needs more opens another connection.
const STREAMS_MAX: u32 = 256;

/// What [`Running::shutdown`] waits for calls that are under way.
const GRACE: Duration = Duration::from_secs(5);

/// How a shop is opened.
#[derive(Clone)]
pub struct ShopConfig {
    /// The database file, created if need be; `None` keeps everything in memory.
    pub db: Option<PathBuf>,
    /// Fill a new database with the customers, SKUs, orders and the link that the tour expects.
    pub seed: bool,
    /// Tells wall time. The shop makes it strictly growing.
    pub clock: Clock,
}

/// An open shop: the state and its services.
///
/// Clones share the state, which is closed with the last of them.
#[derive(Clone)]
pub struct Shop {
    context: Context,
}

/// All services of a shop behind one [`tower_service::Service`], told apart by the first segment of the path.
///
/// Takes requests with any body, so a test or a layer can call it in the same process, without a socket. A service
/// that the shop does not have is answered with UNIMPLEMENTED.
#[derive(Clone)]
pub struct Routes {
    services: Arc<BTreeMap<&'static str, Handler>>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

type Handler = Box<dyn Fn(Request<Body>) -> Answer + Send + Sync>;

/// A shop that listens. Dropping it closes the port at once; [`shutdown`](Self::shutdown) is the polite way.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

// === impl ShopConfig ===

impl Default for ShopConfig {
    /// In memory, seeded, by the system's clock.
    fn default() -> Self {
        Self { db: None, seed: true, clock: Arc::new(SystemTime::now) }
    }
}

impl fmt::Debug for ShopConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopConfig").field("db", &self.db).field("seed", &self.seed).finish_non_exhaustive()
    }
}

// === impl Shop ===

impl Shop {
    /// Opens the database and starts its threads.
    ///
    /// # Errors
    /// If the file cannot be opened, is no SQLite database, or a thread cannot be started.
    pub fn open(config: ShopConfig) -> io::Result<Self> {
        let store = Store::open(config.db.as_deref(), |tx| if config.seed { seed::fill(tx) } else { Ok(()) })?;
        let clock = config.clock;
        Ok(Self { context: Context { store, clock } })
    }

    /// Opens a seeded shop in the file `db` (`None`: in memory) and serves it on `addr`.
    ///
    /// Must be called within a tokio runtime. Port 0 takes a free one; [`Running::addr`] tells which.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`serve`](Self::serve).
    pub fn start(db: Option<&Path>, addr: SocketAddr) -> io::Result<Running> {
        let shop = Self::open(ShopConfig { db: db.map(Path::to_owned), ..ShopConfig::default() })?;
        shop.serve(addr)
    }

    /// The services, to be called in this process.
    pub fn routes(&self) -> Routes {
        let context = || self.context.clone();
        let mut services = BTreeMap::new();
        add(&mut services, CustomersServer::new(Customers(context())));
        add(&mut services, FaultsServer::new(Faults));
        add(&mut services, InventoryServer::new(Inventory(context())));
        add(&mut services, OrdersServer::new(Orders(context())));
        add(&mut services, PaymentsServer::new(Payments(context())));
        add(&mut services, ShippingServer::new(Shipping(context())));
        add(&mut services, ShortLinksServer::new(ShortLinks(context())));
        let healthy = services.keys().copied().collect();
        add(&mut services, HealthServer::new(Health(healthy)));
        reflection::add(&mut services);
        Routes { services: Arc::new(services) }
    }

    /// Serves the shop on `addr`: gRPC over cleartext HTTP/2.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn serve(&self, addr: SocketAddr) -> io::Result<Running> {
        listen(self.routes(), addr)
    }

    /// Serves the same state on `addr` in another version of its services.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn serve_version(&self, version: Version, addr: SocketAddr) -> io::Result<Running> {
        listen(Versioned::new(self.routes(), version), addr)
    }
}

fn listen<S>(service: S, addr: SocketAddr) -> io::Result<Running>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let incoming = TcpIncoming::bind(addr)?.with_nodelay(Some(true));
    let addr = incoming.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let server = Server::builder().max_concurrent_streams(Some(STREAMS_MAX)).serve_with_incoming_shutdown(
        service,
        incoming,
        async {
            // A dropped sender stops it as well.
            let _told_or_dropped = stopped.await;
        },
    );
    Ok(Running { addr, stop: Some(stop), task: tokio::spawn(server) })
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").finish_non_exhaustive()
    }
}

// === impl Routes ===

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Routes
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        // So are the services: what waits, waits in the store's queue.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        match self.services.get(service) {
            Some(handler) => handler(request.map(|body| {
                Body::new(body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))))
            })),
            None => {
                let status = Status::unimplemented(format!("no service {service:?} here"));
                Box::pin(async move { Ok(status.into_http()) })
            }
        }
    }
}

/// Adds a service under its name.
fn add<S>(services: &mut BTreeMap<&'static str, Handler>, service: S)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService + Clone,
    S: Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let handler: Handler = Box::new(move |request| Box::pin(service.clone().call(request)));
    services.insert(S::NAME, handler);
}

// === impl Running ===

impl Running {
    /// Where it listens, with the port it really got.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until it ends, which it does by itself only if it fails.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn wait(&mut self) -> io::Result<()> {
        match (&mut self.task).await {
            Ok(ended) => ended.map_err(io::Error::other),
            Err(lost) => Err(io::Error::other(lost)),
        }
    }

    /// Takes no more calls and waits for those under way, five seconds at most; what is left by then ends with the
    /// runtime.
    ///
    /// # Errors
    /// What it had failed with before.
    pub async fn shutdown(mut self) -> io::Result<()> {
        drop(self.stop.take());
        match timeout(GRACE, self.wait()).await {
            Ok(ended) => ended,
            Err(_grace_is_over) => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
