//! What the tests share.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_limit::front::{Failure, Outcome, Terms};
use tidegate_limit::ports::{Answer, Asked, Batch, CounterStore, Item, SharedLimits, StoreError};
use tidegate_limit::{Algorithm, Ask, Key, Policy, Rate, Scale};
use tidegate_redis::{Address, Clock, Config, Driver, DriverConfig, Redis};
use tidegate_source_rig::PATIENCE;
use tidegate_source_rig::redis::Redis as Server;
use tokio::time::timeout;

/// A node's clock.
pub(crate) fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "it is the node's clock")]
    let start = Instant::now();
    Arc::new(move || start.elapsed())
}

/// A store that begins full, so that tests need not wait for a refill.
pub(crate) fn config(url: &str) -> Config {
    let config = Config::new(Address::parse(url).expect("an address"), clock());
    Config { forgiving: true, connect: PATIENCE, patience: PATIENCE, ..config }
}

/// The store of a server.
pub(crate) fn store(server: &Server) -> Redis {
    Redis::start(config(&format!("redis://{}", server.address())))
}

/// A bucket of `burst` units, of which ten come back in a day.
pub(crate) fn bucket(burst: u64) -> Policy {
    let rate = Rate::new(10, Duration::from_hours(24)).expect("a rate");
    Algorithm::TokenBucket { rate, burst }.compile(Scale::Shared).expect("a bucket")
}

/// What a store is asked for one unit of the keys.
pub(crate) fn batch(id: u64, keys: &[u128], policy: Policy) -> Batch {
    let ask = |key: &u128| {
        let (key, ask) = (Key(*key), Ask::spend(1));
        Item { key, policy, refund: None, ask, retry_for: 1, extra: 0 }
    };
    Batch { id, items: keys.iter().map(ask).collect() }
}

/// What each key was granted.
pub(crate) async fn granted(
    store: &impl CounterStore,
    id: u64,
    keys: &[u128],
    policy: Policy,
) -> Result<Vec<u64>, StoreError> {
    let answers = soon("an answer", store.decide(batch(id, keys, policy))).await?;
    Ok(answers.iter().map(|Answer { decision, .. }| decision.granted).collect())
}

/// Waits for what has to come.
pub(crate) async fn soon<T>(about: &str, what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| panic!("no {about}"))
}

/// Tries until it is so.
pub(crate) async fn until<T>(about: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    soon(about, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// A driver over a store.
pub(crate) fn driver(store: Redis, config: DriverConfig) -> (Driver, Arc<Redis>) {
    let store = Arc::new(store);
    let driver = Driver::start(Arc::clone(&store) as Arc<dyn CounterStore>, config, clock());
    (driver, store)
}

/// Terms of a bucket.
pub(crate) fn terms(policy: Policy, failure: Failure) -> Terms {
    Terms::plain(policy, 0, failure)
}

/// Asks for one unit.
pub(crate) async fn ask(driver: &Driver, key: u128, terms: &Terms) -> Outcome {
    match driver.ask(Key(key), terms, Ask::spend(1)) {
        Asked::Answered(outcome) => outcome,
        Asked::Waits(answer) => soon("an answer", answer).await.expect("the driver is there"),
    }
}
