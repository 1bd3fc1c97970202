//! Stores of limits that gateways share, opened as a config says. One that is said as before stays open, with all that
//! is known of its limits.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tidegate_control::config::Store;
use tidegate_gateway as gateway;
use tidegate_gateway::OpenStore;
use tidegate_gateway::config::Place;
use tidegate_limit::front;
use tidegate_limit::ports::{CounterStore, LimitService, SharedLimits, Standing};
use tidegate_redis::{Address, AddressError, Clock, Config, Driver, DriverConfig, Redis, Tls};
use tidegate_rls as rls;
use tidegate_telemetry::clock;
use tokio::runtime::{Builder, Handle, Runtime};

/// From when the clocks of stores count.
static ORIGIN: LazyLock<Instant> = LazyLock::new(clock::now);

/// Those of the config in force.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    /// Where they are spoken with.
    pub(crate) runtime: Option<Handle>,
    open: HashMap<String, Kept>,
}

/// A store that is open, and what it was made of.
#[derive(Debug)]
struct Kept {
    config: Store,
    store: OpenStore,
}

/// The thread that speaks with stores: answers must not wait for what the control runtime does, and workers come to
/// their end before it. It ends with this value.
pub(crate) struct StoreThread(Option<Runtime>);

// === impl Stores ===

impl Stores {
    /// Those that `said` names. What is said of one as before is as before; the others are closed when nobody asks
    /// them any more.
    pub(crate) fn open(&mut self, said: &[Store]) -> gateway::Stores {
        let Some(runtime) = self.runtime.clone() else { return gateway::Stores::new() };
        let mut before = std::mem::take(&mut self.open);
        for store in said {
            // Where it stands in the file makes no difference; for how many nodes it is, its limits know.
            let config =
                Store { store: gateway::config::Store { nodes: None, ..store.store.clone() }, ..store.clone() };
            let config = config.without_places();
            let kept = before.remove(&store.store.name).filter(|kept| kept.config == config);
            let kept = kept.or_else(|| Some(Kept { store: start(&runtime, store)?, config }));
            self.open.extend(kept.map(|kept| (store.store.name.clone(), kept)));
        }
        self.open.iter().map(|(name, kept)| (name.clone(), kept.store.clone())).collect()
    }
}

/// Says what is wrong with a store, as far as that can be told without asking it.
pub(crate) fn check(store: &Store) -> Result<(), (Place, String)> {
    let wrong = |error: String| {
        let message = format!("the URL of the store `{}` cannot be used: {error}", store.store.name);
        (store.url_place, message)
    };
    let (is_tls, with_tls) = match &store.domain {
        Some(_) => (rls::Address::parse(&store.url).map_err(|error| wrong(error.to_string()))?.tls, "rlss://"),
        None => (Address::parse(&store.url).map_err(|error| wrong(told(&error)))?.tls, "rediss://"),
    };
    if let Some(file) = store.files().next().filter(|_| !is_tls) {
        return Err((file.place, format!("certificates have no meaning without TLS: write `{with_tls}`")));
    }
    let place = store.files().next().map_or(store.url_place, |file| file.place);
    let checked = match &store.domain {
        Some(_) => tls_of_service(store).check().map_err(|why| why.to_string()),
        None => tls(store).check().map_err(|why| why.to_string()),
    };
    checked.map_err(|why| (place, format!("the store `{}` cannot be used: {why}", store.store.name)))
}

/// Who mistook the scheme may have meant the other kind of store.
fn told(error: &AddressError) -> String {
    match error {
        AddressError::Scheme(_) | AddressError::NoScheme => format!("{error}; a rate limit service is rls://host:port"),
        _ => error.to_string(),
    }
}

/// Checked before: `None` never comes.
fn start(runtime: &Handle, store: &Store) -> Option<OpenStore> {
    let clock: Clock = Arc::new(|| clock::now().saturating_duration_since(*ORIGIN));
    let _runtime = runtime.enter();
    let name = store.store.name.clone();
    if let Some(domain) = &store.domain {
        let config = rls::Config {
            tls: tls_of_service(store),
            budget: store.budget,
            connect: store.connect,
            ..rls::Config::new(rls::Address::parse(&store.url).ok()?, domain, clock)
        };
        let service: Arc<dyn LimitService> = Arc::new(rls::Service::start(config));
        let weak = Arc::downgrade(&service);
        runtime.spawn(tell(name, move || weak.upgrade().map(|service| service.standing())));
        return Some(service.into());
    }
    let config = Config {
        tls: tls(store),
        prefix: store.prefix.clone(),
        connect: store.connect,
        evicting: store.evicting,
        forgiving: store.forgiving,
        ..Config::new(Address::parse(&store.url).ok()?, Arc::clone(&clock))
    };
    let front = front::Config { combine: store.combine, ..front::Config::default() };
    let driver = DriverConfig { front, budget: store.budget };
    let redis: Arc<dyn CounterStore> = Arc::new(Redis::start(config));
    let driver: Arc<dyn SharedLimits> = Arc::new(Driver::start(redis, driver, clock));
    let weak = Arc::downgrade(&driver);
    runtime.spawn(tell(name, move || weak.upgrade().map(|driver| driver.standing())));
    Some(driver.into())
}

/// How often it is looked whether a store is down.
const LOOK: Duration = Duration::from_millis(100);
/// A store that answered for so long, every time it was looked at, is back.
const BACK: u32 = 10;

/// Says once when a store goes down, and once when it is back.
async fn tell(name: String, store: impl Fn() -> Option<Standing>) {
    let mut down: Option<(Instant, u64)> = None;
    let mut answered = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(standing) = store() else { return };
        let reason = standing.servers.failure.as_deref().unwrap_or("no answer within its budget");
        answered = if standing.down { 0 } else { answered + 1 };
        match down {
            None if standing.down => {
                tracing::warn!(
                    store = name,
                    address = standing.servers.address,
                    reason,
                    "a store of limits does not answer: each limit does what its `on_failure` says"
                );
                down = Some((clock::now(), standing.front.fallen_back));
            }
            Some((since, before)) if answered >= BACK => {
                let away = clock::now().saturating_duration_since(since);
                tracing::info!(
                    store = name,
                    address = standing.servers.address,
                    seconds = away.as_secs(),
                    requests = standing.front.fallen_back.saturating_sub(before),
                    "the store of limits answers again"
                );
                down = None;
            }
            _ => {}
        }
    }
}

fn tls_of_service(store: &Store) -> rls::Tls {
    let Tls { ca, identity } = tls(store);
    rls::Tls { ca, identity }
}

fn tls(store: &Store) -> Tls {
    let identity = store.identity.as_ref().map(|(certificate, key)| (certificate.pem.clone(), key.pem.clone()));
    Tls { ca: store.ca.as_ref().map(|ca| ca.pem.clone()), identity }
}

// === impl StoreThread ===

impl StoreThread {
    /// The thread, and the way to it.
    pub(crate) fn start() -> io::Result<(Self, Handle)> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("tidegate-stores").enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl fmt::Debug for StoreThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreThread")
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
