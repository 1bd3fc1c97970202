//! Stores of limits that gateways share, opened as a config says. One that is said as before stays open, with all that
//! is known of its limits.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};
use tidegate_control::config::Store;
use tidegate_gateway as gateway;
use tidegate_gateway::config::Place;
use tidegate_limit::front;
use tidegate_limit::ports::{CounterStore, SharedLimits};
use tidegate_redis::{Address, Clock, Config, Driver, DriverConfig, Redis, Tls};
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
    store: Arc<dyn SharedLimits>,
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
        self.open.iter().map(|(name, kept)| (name.clone(), Arc::clone(&kept.store))).collect()
    }
}

/// Says what is wrong with a store, as far as that can be told without asking it.
pub(crate) fn check(store: &Store) -> Result<(), (Place, String)> {
    let address = Address::parse(&store.url).map_err(|error| {
        let message = format!("the URL of the store `{}` cannot be used: {error}", store.store.name);
        (store.url_place, message)
    })?;
    if let Some(file) = store.files().next().filter(|_| !address.tls) {
        return Err((file.place, "certificates have no meaning without TLS: write `rediss://`".to_owned()));
    }
    let place = store.files().next().map_or(store.url_place, |file| file.place);
    tls(store).check().map_err(|why| (place, format!("the store `{}` cannot be used: {why}", store.store.name)))
}

/// Checked before: `None` never comes.
fn start(runtime: &Handle, store: &Store) -> Option<Arc<dyn SharedLimits>> {
    let clock: Clock = Arc::new(|| clock::now().saturating_duration_since(*ORIGIN));
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
    let _runtime = runtime.enter();
    let redis: Arc<dyn CounterStore> = Arc::new(Redis::start(config));
    let driver: Arc<dyn SharedLimits> = Arc::new(Driver::start(redis, driver, clock));
    runtime.spawn(tell(store.store.name.clone(), Arc::downgrade(&driver)));
    Some(driver)
}

/// How often it is looked whether a store is down.
const LOOK: Duration = Duration::from_millis(100);
/// A store that answered for so long, every time it was looked at, is back.
const BACK: u32 = 10;

/// Says once when a store goes down, and once when it is back.
async fn tell(name: String, store: Weak<dyn SharedLimits>) {
    let mut down: Option<(Instant, u64)> = None;
    let mut answered = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(store) = store.upgrade() else { return };
        let standing = store.standing();
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
